import type { z } from 'zod';

/** States a job is shown in. */
export type JobState = 'queued' | 'active' | 'completed' | 'failed' | 'cancelled';

/** What a step may use while it runs. */
export interface JobContext {
  readonly jobId: string;
  /** Aborts when the job is cancelled or the process ends. */
  readonly signal: AbortSignal;
  /** Progress within the step, from 0 to 1, with a sentence about what is being done. */
  progress(fraction: number, message?: string): Promise<void>;
}

/**
 * One part of a job. It must be safe to run again, from its beginning, after the process was killed anywhere in it: look at
 * what is there, do what is missing.
 */
export interface JobStep<Payload, Services, State> {
  readonly name: string;
  /** Share of the progress bar in relation to the other steps. Default 1. */
  readonly weight?: number;
  run(context: JobContext, input: { payload: Payload; services: Services; state: State }): Promise<void>;
}

/** A kind of job: what it is called, what it is given, what it does. */
export interface JobDefinition<Payload, Services, State> {
  /** Name of the queue: `apply-migrations`. */
  readonly name: string;
  readonly payload: z.ZodType<Payload>;
  /** What steps hand on to later ones; made anew whenever the job starts or resumes. */
  initialState(): State;
  readonly steps: readonly JobStep<Payload, Services, State>[];
  /** Undoes what was done when a job fails or is cancelled. Must be safe to run again. */
  rollBack?(
    context: JobContext,
    input: { payload: Payload; services: Services; state: State },
  ): Promise<void>;
  /** What `GET /v1/jobs/:id` shows as `result` of a completed job. */
  result?(state: State): Readonly<Record<string, unknown>>;
}

/** A failure that running again would not mend; its message goes to the client. */
export class JobError extends Error {
  override readonly name = 'JobError';
  readonly code: string | undefined;
  readonly details: string | undefined;
  readonly hint: string | undefined;

  constructor(
    message: string,
    options: {
      code?: string | undefined;
      details?: string | undefined;
      hint?: string | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = options.code;
    this.details = options.details;
    this.hint = options.hint;
  }
}
