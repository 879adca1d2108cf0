import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';

const READY_TIMEOUT_MS = 60_000;
const READY_POLL_MS = 50;
const STOP_TIMEOUT_MS = 10_000;

export interface Child {
  readonly pid: number;
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Answers 2xx once the process serves. */
  readonly readyUrl: string;
}

/** Starts a server and waits until it is ready. @throws {Error} with its last words when it ends before that */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, command, args, env, readyUrl } = options;
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let lastWords = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      lastWords = (lastWords + text).slice(-2_000);
    });
  }
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      lastWords += error.message;
      resolve();
    });
    child.once('exit', () => resolve());
  });
  const stop = () => stopChild(child, ended);
  // Whatever ends this process, its servers do not outlive it.
  process.once('exit', () => child.kill('SIGKILL'));
  try {
    await Promise.race([
      untilReady(readyUrl),
      ended.then(() => Promise.reject(new Error(`it ended:\n${lastWords}`))),
    ]);
  } catch (cause) {
    await stop();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${name} did not start: ${reason}`, { cause });
  }
  return { pid: child.pid ?? 0, stop };
}

async function untilReady(url: string): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  for (;;) {
    const response = await fetch(url).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
    if (Date.now() > deadline)
      throw new Error(`no 2xx from ${url} in time (last status ${response?.status})`);
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
}

async function stopChild(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
