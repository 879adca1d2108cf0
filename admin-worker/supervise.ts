import { type ChildProcess, fork } from 'node:child_process';
import { EXIT_CONFIG } from '../gateway/platform/config.ts';
import { PARENT_WATCH_VARIABLE, parseListeningMessage } from '../gateway/platform/parent-watch.ts';
import { EXIT_CANNOT_LISTEN } from './exit-codes.ts';

export interface ChildSpec {
  readonly name: string;
  readonly modulePath: string;
  /** Variables that are not for it. */
  readonly without?: readonly string[];
  /** Options of Node for it, beside those of this process. */
  readonly nodeOptions?: readonly string[];
  /** Variables for it, where this process has none of that name. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Called whenever the child says that it listens. */
  readonly onListening?: (port: number) => void;
  /** The child ended by itself; `willRestart` unless that cannot help. */
  readonly onExit: (exit: { status: number | null; signal: string | null; willRestart: boolean }) => void;
}

export interface SupervisedChild {
  /** Resolves when the process has ended. `signal` kills it. */
  stop(signal: AbortSignal): Promise<void>;
}

const MIN_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 15_000;
/** A child that ran this long was well: its next failure begins with a short delay again. */
const HEALTHY_AFTER_MS = 30_000;
const HOPELESS: ReadonlySet<number> = new Set([EXIT_CONFIG, EXIT_CANNOT_LISTEN]);

function environmentWithout(names: readonly string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !names.includes(name)));
}

/** Keeps a child process running: one that ends is started again after a growing delay. */
export function superviseChild({
  name,
  modulePath,
  without = [],
  nodeOptions = [],
  environment = {},
  onListening,
  onExit,
}: ChildSpec): SupervisedChild {
  let child: ChildProcess | undefined;
  let restart: NodeJS.Timeout | undefined;
  let backoffMs = MIN_BACKOFF_MS;
  let isStopping = false;

  const start = () => {
    const startedAt = performance.now();
    child = fork(modulePath, [], {
      execArgv: [...process.execArgv, ...nodeOptions],
      // A group of its own, so that Ctrl-C reaches only the parent, which ends its children in order.
      detached: true,
      env: {
        ...environment,
        ...environmentWithout(without),
        [PARENT_WATCH_VARIABLE]: '1',
        CASCATA_PROCESS: name,
      },
    });
    child.on('message', (message) => {
      const port = parseListeningMessage(message);
      if (port !== undefined) onListening?.(port);
    });
    child.once('exit', (status, signal) => {
      child = undefined;
      if (isStopping) return;
      const willRestart = status === null || !HOPELESS.has(status);
      onExit({ status, signal, willRestart });
      if (!willRestart) return;
      if (performance.now() - startedAt > HEALTHY_AFTER_MS) backoffMs = MIN_BACKOFF_MS;
      restart = setTimeout(start, backoffMs);
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
    });
  };
  start();

  return {
    async stop(signal) {
      isStopping = true;
      clearTimeout(restart);
      const running = child;
      if (running === undefined) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      running.once('exit', () => resolve());
      running.kill('SIGTERM');
      const kill = () => void running.kill('SIGKILL');
      signal.addEventListener('abort', kill, { once: true });
      await promise;
      signal.removeEventListener('abort', kill);
    },
  };
}
