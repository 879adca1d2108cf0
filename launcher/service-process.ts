import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PARENT_WATCH_VARIABLE, parseListeningMessage } from '../gateway/platform/parent-watch.ts';
import { SetupError, systemErrorCode } from './setup-error.ts';

const READY_POLL_MS = 50;
const READY_TIMEOUT_MS = 60_000;
/** On top of the process's own drain, before it is killed. */
const STOP_MARGIN_MS = 5_000;

export interface ServiceOptions {
  /** For sentences to the operator: `gateway`, `admin worker`. */
  readonly name: string;
  /** Entry without extension, relative to this folder: `../gateway/main`. */
  readonly entry: string;
  readonly env: NodeJS.ProcessEnv;
  /** Address it listens on; wildcard addresses are reached through loopback. */
  readonly host: string;
  readonly drainTimeoutMs: number;
}

/** A process of ours that serves HTTP, started by the conventions of `parent-watch.ts`. */
export interface Service {
  readonly name: string;
  /** `http://127.0.0.1:8000`, known once it listens. */
  readonly url: string;
  readonly port: number;
  /** Resolves with a sentence when it has ended, whoever ended it. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

/**
 * Starts a service and waits until `GET /ready` is 200.
 *
 * @throws {SetupError} when it ends before that or takes too long; nothing is left running then
 */
export async function startService(options: ServiceOptions, signal: AbortSignal): Promise<Service> {
  const { name, env } = options;
  const child = spawn(process.execPath, [entryPath(options.entry)], {
    env: { ...env, [PARENT_WATCH_VARIABLE]: '1' },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    detached: true,
  });
  const ended = watchEnd(child, name);
  const stop = () => stopChild(child, { ended, timeoutMs: options.drainTimeoutMs + STOP_MARGIN_MS });
  try {
    const failed = ended.then((sentence) => Promise.reject(new SetupError(sentence)));
    failed.catch(() => {}); // Heard through the races below; later ends are heard through `ended`.
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(READY_TIMEOUT_MS)]);
    const port = await Promise.race([listeningPort(child, deadline), failed]);
    const url = `http://${reachableHost(options.host)}:${port}`;
    await Promise.race([untilReady(url, deadline), failed]);
    return { name, url, port, ended, stop };
  } catch (error) {
    await stop();
    if (error instanceof SetupError || signal.aborted) throw error;
    throw new SetupError(`The ${name} was not ready within ${READY_TIMEOUT_MS / 1000} seconds.`, {
      cause: error,
    });
  }
}

/** @throws {SetupError} when something else listens on `port` (0 is always free) */
export async function assertPortFree({
  host,
  port,
  variable,
}: {
  host: string;
  port: number;
  variable: string;
}): Promise<void> {
  if (port === 0) return;
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, exclusive: true }, resolve);
    });
  } catch (cause) {
    const code = systemErrorCode(cause);
    const hint = `set ${variable} to another port (0 for any free one)`;
    if (code === 'EADDRINUSE')
      throw new SetupError(`Port ${port} on ${host} is already in use: ${hint}.`, { cause });
    throw new SetupError(`Port ${port} on ${host} cannot be used (${code ?? String(cause)}): ${hint}.`, {
      cause,
    });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

/** The same kind of file as this one: source, or emitted JavaScript. */
function entryPath(entry: string): string {
  return fileURLToPath(new URL(`${entry}${extname(import.meta.url)}`, import.meta.url));
}

function watchEnd(child: ChildProcess, name: string): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`The ${name} could not be started: ${error.message}`));
    child.once('exit', (status, killedBy) =>
      resolve(`The ${name} ended unexpectedly (${killedBy ?? `status ${status}`}).`),
    );
  });
}

function listeningPort(child: ChildProcess, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    child.on('message', (message) => {
      const port = parseListeningMessage(message);
      if (port !== undefined) resolve(port);
    });
  });
}

async function untilReady(url: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const response = await fetch(`${url}/ready`, { signal }).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
}

async function stopChild(
  child: ChildProcess,
  options: { ended: Promise<string>; timeoutMs: number },
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs);
  await options.ended;
  clearTimeout(timer);
}

function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
