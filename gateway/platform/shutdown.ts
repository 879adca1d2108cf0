import type { Observe } from './observation.ts';

/** One part of an orderly end: stop accepting, finish what runs, close pools. */
export interface ShutdownStep {
  readonly name: string;
  /** @param signal aborts when the time for all steps is over */
  run(signal: AbortSignal): Promise<void>;
}

export interface ShutdownOptions {
  /** For the log: `gateway`, `admin-api`, … */
  readonly process: string;
  /** Run one after the other; a step that fails does not keep the next from running. */
  readonly steps: readonly ShutdownStep[];
  /** For all steps together. */
  readonly timeoutMs: number;
  readonly observe: Observe;
  /** Where signals come from and the exit goes to. Default: this process. */
  readonly host?: ShutdownHost;
}

export interface ShutdownHost {
  on(event: 'SIGTERM' | 'SIGINT', listener: (signal: string) => void): unknown;
  exit(status: number): void;
}

const SIGNAL_EXIT_STATUS: Readonly<Record<string, number>> = { SIGINT: 130, SIGTERM: 143 };

/**
 * Ends the process in order on SIGTERM or SIGINT: status 0 after all steps, 1 when one failed or the time was over. A second signal
 * ends it at once.
 *
 * @returns the same shutdown, for other reasons to end (`watchParent`, a server that failed)
 */
export function installShutdown(options: ShutdownOptions): (reason: string) => Promise<void> {
  const host = options.host ?? thisProcess();
  let running: Promise<void> | undefined;
  const shutdown = (reason: string): Promise<void> => {
    running ??= runSteps(reason, options).then((status) => host.exit(status));
    return running;
  };
  const onSignal = (signal: string) => {
    if (running === undefined)
      void shutdown(signal); // Never rejects; what goes wrong is observed.
    else host.exit(SIGNAL_EXIT_STATUS[signal] ?? 1);
  };
  host.on('SIGTERM', onSignal);
  host.on('SIGINT', onSignal);
  return shutdown;
}

function thisProcess(): ShutdownHost {
  return {
    on: (event, listener) => process.on(event, listener),
    // With nothing gone wrong in the steps, a `process.exitCode` that was set before says more.
    exit: (status) => process.exit(status === 0 ? undefined : status),
  };
}

async function runSteps(
  reason: string,
  { process, steps, timeoutMs, observe }: ShutdownOptions,
): Promise<number> {
  observe({ kind: 'process-stopping', process, reason });
  const deadline = AbortSignal.timeout(timeoutMs);
  let status = 0;
  for (const step of steps) {
    try {
      await withDeadline(step, deadline);
    } catch (cause) {
      status = 1;
      observe({ kind: 'process-failed', process, cause: new Error(`shutdown: ${step.name}`, { cause }) });
    }
  }
  return status;
}

async function withDeadline(step: ShutdownStep, deadline: AbortSignal): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(new Error('took too long'));
  deadline.addEventListener('abort', onAbort, { once: true });
  try {
    if (deadline.aborted) onAbort();
    await Promise.race([step.run(deadline), late]);
  } finally {
    deadline.removeEventListener('abort', onAbort);
    late.catch(() => {}); // Already told through the race.
  }
}
