import { type DestinationStream, destination, type Logger as Pino, pino } from 'pino';
import { describeCause } from './describe-cause.ts';
import { type Observation, type Observe, STAGES } from './observation.ts';
import type { Settings } from './settings.ts';

export interface LoggerOptions {
  /** `gateway`, `admin-api`, `admin-runner`, … */
  readonly process: string;
  readonly level: Settings['logLevel'];
  readonly isProduction: boolean;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
}

export interface Logger {
  readonly observe: Observe;
  /** Writes out what is buffered. */
  flush(): void;
}

type Level = 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** Asked every few seconds by whoever watches the process; only their failures are news. */
const PROBE_ROUTES: ReadonlySet<string> = new Set(['/live', '/ready', '/metrics']);

/** In production lines are written in blocks: one system call a request is a tenth of the gateway's CPU. */
const BUFFER_BYTES = 4096;
const BUFFER_FLUSH_MS = 250;

/** One JSON line per observation worth a line. */
export function createLogger({ process, level, isProduction, ...options }: LoggerOptions): Logger {
  const output = options.destination ?? standardOutput(isProduction);
  const log = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, output);
  const hasRequests = log.isLevelEnabled('info');
  return {
    observe(observation) {
      // Most of what is observed, and nothing to tell.
      if (observation.kind === 'request-finished' && !hasRequests) return;
      write(log, observation, { process, withStack: !isProduction });
    },
    flush: () => log.flush(),
  };
}

function standardOutput(isProduction: boolean): DestinationStream {
  if (!isProduction) return destination({ sync: true });
  return destination({ sync: false, minLength: BUFFER_BYTES, periodicFlush: BUFFER_FLUSH_MS });
}

function write(
  log: Pino,
  observation: Observation,
  { process, withStack }: { process: string; withStack: boolean },
): void {
  const level = levelOf(observation);
  if (level === undefined || !log.isLevelEnabled(level)) return;
  // An observation that names a process (a child, say) is about that one.
  log[level]({ process, ...fieldsOf(observation, withStack) });
}

/** `undefined`: for the metrics alone. */
function levelOf(observation: Observation): Level | undefined {
  switch (observation.kind) {
    case 'request-finished':
      return PROBE_ROUTES.has(observation.route) && observation.status < 400 ? 'debug' : 'info';
    case 'process-started':
    case 'process-stopping':
    case 'schema-cache-loaded':
      return 'info';
    case 'registry-listener':
    case 'schema-listener':
      return observation.state === 'lost' ? 'warn' : 'info';
    case 'registry-unreachable':
    case 'schema-cache-failed':
    case 'settings-ignored':
    case 'upstream-failed':
      return 'warn';
    case 'request-failed':
    case 'process-failed':
      return 'error';
    case 'upstream-breaker':
      return observation.state === 'open' ? 'warn' : 'info';
    case 'pgbouncer-configured':
      return observation.cause === undefined ? 'info' : 'warn';
    case 'job-changed':
      return observation.cause === undefined ? 'info' : 'error';
    case 'pool-opened':
    case 'pool-closed':
    case 'schema-cache-evicted':
      return 'debug';
    case 'tenant-cache':
    case 'jwt-cache':
    case 'request-forwarded':
      return undefined;
    default:
      return observation satisfies never;
  }
}

function fieldsOf(observation: Observation, withStack: boolean): object {
  if (observation.kind === 'request-finished') {
    const { stages, durationMs, ...rest } = observation;
    return { ...rest, durationMs: rounded(durationMs), stages: roundedAll(stages) };
  }
  if (!('cause' in observation) || observation.cause === undefined) return observation;
  return { ...observation, cause: describeCause(observation.cause, { withStack }) };
}

/** Stage name → milliseconds, of those that took place. */
function roundedAll(stages: readonly number[]): Record<string, number> {
  const result: Record<string, number> = {};
  STAGES.forEach((name, i) => {
    const ms = stages[i]!;
    if (!Number.isNaN(ms)) result[name] = rounded(ms);
  });
  return result;
}

/** To the microsecond. */
function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
