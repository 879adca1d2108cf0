import type pg from 'pg';
import type { z } from 'zod';
import type { Secret } from '../../gateway/registry/secrets.ts';
import type { TenantServer } from '../connections.ts';
import { ReportedError } from '../reported-error.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import type { JobKind } from './job-kind.ts';

/** What a step works with. */
export interface JobContext<Payload = unknown, State extends object = object> {
  readonly jobId: string;
  /** Number of this run of the job; grows with each, whoever runs it. */
  readonly attempt: number;
  readonly payload: Payload;
  /** JSON that steps hand on: change it in place. Kept when the step ends well, and by `checkpoint()`. */
  readonly state: State;
  readonly services: AdminServices;
  /** Aborts when the job is cancelled, late, or lost to another runner, and when this process ends. Pass it to all that waits. */
  readonly signal: AbortSignal;
  /** Progress within the step, from 0 to 1, with a sentence about what is being done. Cheap: what changes nothing is not written. */
  progress(fraction: number, message?: string): Promise<void>;
  /** Adds a line to the job's log. It is written soon, with others; passwords in URLs are masked. */
  log(line: string, level?: LogLevel): void;
  /** Keeps `state` as it is now, in the middle of a long step: what has been done so far need not be done again. */
  checkpoint(): Promise<void>;
  /** @throws {LeaseLostError} when another runner has the job. To be asked before what cannot be taken back outside PostgreSQL. */
  assertLease(): Promise<void>;
  /**
   * Lends a connection that ends with the step or on abort, and that the next runner of this job cuts off before it begins. What a
   * step writes to a database goes over such connections: then a runner that was paused cannot write after it has lost the job.
   * A DSN alone is for servers of our own; a tenant's comes from `databaseOf`.
   */
  connect<T>(server: Secret | TenantServer, work: (client: pg.Client) => Promise<T>): Promise<T>;
}

export type LogLevel = 'info' | 'warn' | 'error';

/** One part of a job. */
export interface JobStep<Payload, State extends object> {
  /** Kept with the job: a step in flight is found again by it after an update of this program. */
  readonly name: string;
  /** Share of the progress bar in relation to the other steps. Default 1. */
  readonly weight?: number;
  /**
   * Does it. Safe to run again, from its beginning, after the process was killed anywhere in it: look at what is there, do what is
   * missing.
   */
  run(context: JobContext<Payload, State>): Promise<void>;
  /**
   * Takes back what `run` did, all of it, a part or nothing at all. Called for steps that were begun, the last one first, when the job fails for good,
   * is cancelled or is late. Safe to run again, too.
   */
  undo?(context: JobContext<Payload, State>): Promise<void>;
  /** Once this step is done the job only goes forward: it can no longer be cancelled, is never undone, and has no deadline. */
  readonly isPointOfNoReturn?: boolean;
}

/** How a kind of job is done. */
export interface JobDefinition<Payload, State extends object> {
  readonly kind: JobKind<Payload>;
  /** What steps hand on; parsing `{}` gives the state at the start, so every field has a default. */
  readonly state: z.ZodType<State>;
  readonly steps: readonly [JobStep<Payload, State>, ...JobStep<Payload, State>[]];
  /**
   * Checks all that can be checked, changes nothing, and says what would be done, one sentence each.
   *
   * @throws {JobError} that names what stands in the way
   */
  dryRun(context: JobContext<Payload, State>): Promise<readonly string[]>;
  /** What `GET /v1/jobs/:id` shows as `result` of a completed job. */
  result?(state: State): Readonly<Record<string, unknown>>;
}

/** A definition whose payload and state are not known here; only what its own schemas have parsed goes into its functions. */
export type AnyJobDefinition = JobDefinition<unknown, object>;

/** A failure that running again would not mend; its message goes to the client. Any other error leads to another attempt. */
export class JobError extends ReportedError {
  override readonly name = 'JobError';
}

/** Another runner has the job: whatever this one was about to write must not be written. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
}
