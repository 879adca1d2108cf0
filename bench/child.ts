import { type ChildProcess, spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** Long enough for a process that runs in a simulated processor. */
const READY_TIMEOUT_MS = 240_000;
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
  /** Whether the process serves by now; asked again and again. */
  readonly isReady: () => Promise<boolean>;
}

/** Starts a server and waits until it is ready. @throws {Error} with its last words when it ends before that */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, command, args, env, isReady } = options;
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
  // Whatever ends this process, its servers do not outlive it.
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async (): Promise<void> => {
    await stopChild(child, ended);
    process.off('exit', kill);
  };
  try {
    await Promise.race([
      untilReady(isReady),
      ended.then(() => Promise.reject(new Error(`it ended:\n${lastWords}`))),
    ]);
  } catch (cause) {
    await stop();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${name} did not start: ${reason}`, { cause });
  }
  return { pid: child.pid ?? 0, stop };
}

async function untilReady(isReady: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  for (;;) {
    if (await isReady()) return;
    if (Date.now() > deadline) throw new Error('it was not ready in time');
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
}

async function stopChild(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

/**
 * Node and the entry file, in the same form (source or emitted) as this one.
 *
 * @param under a command, with its arguments, that runs the command line which follows it
 */
export function nodeEntry(
  path: string,
  under: readonly string[] = [],
): { command: string; args: readonly string[] } {
  const [command, ...args] = [...under, process.execPath, fileURLToPath(new URL(path, import.meta.url))];
  return { command: command ?? process.execPath, args };
}

/** Whether a URL answers 2xx. */
export async function answers(url: string): Promise<boolean> {
  const response = await fetch(url).catch(() => undefined);
  await response?.body?.cancel();
  return response?.ok ?? false;
}

export function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
