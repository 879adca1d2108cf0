import type { Pool } from 'pg';
import type { Observe } from '../../gateway/platform/observation.ts';
import { type JobContext, type JobDefinition, JobError } from '../jobs/job.ts';
import { type JobFailure, markActive, markFinished, markProgress } from '../jobs/job-store.ts';

export interface RunJobOptions<Payload, Services, State> {
  readonly definition: JobDefinition<Payload, Services, State>;
  readonly services: Services;
  readonly control: Pool;
  readonly observe: Observe;
  readonly job: { readonly id: string; readonly data: unknown; readonly isLastAttempt: boolean };
  /** Aborts when somebody cancels the job. */
  readonly cancelled: AbortSignal;
  /** Aborts when the process ends or the queue gives the job to another runner. */
  readonly stopped: AbortSignal;
}

interface JobInput<Payload, Services, State> {
  readonly payload: Payload;
  readonly services: Services;
  readonly state: State;
}

/**
 * Runs a job's steps, keeping its row in `control.jobs` up to date. Returns when the job has come to its end, good or bad; throws
 * when another attempt may help (the database went away, the process ends).
 */
export async function runJob<Payload, Services, State>(
  options: RunJobOptions<Payload, Services, State>,
): Promise<void> {
  const { definition, control, job, services, cancelled, stopped } = options;
  const record = await markActive(control, job.id);
  // Cancelled while queued, or finished by an attempt that could not tell the queue.
  if (record === undefined) return;
  tell(options, 'active');
  const parsed = definition.payload.safeParse(job.data);
  if (!parsed.success) {
    await markFinished(control, { id: job.id, state: 'failed', error: failureOf(parsed.error) });
    return tell(options, 'failed', parsed.error);
  }
  const input = { payload: parsed.data, services, state: definition.initialState() };
  try {
    await runSteps(options, input);
    stopped.throwIfAborted();
  } catch (error) {
    const isFinal = cancelled.aborted || error instanceof JobError || job.isLastAttempt;
    if (stopped.aborted || !isFinal) throw error;
    return await giveUp(options, input, error);
  }
  await markFinished(control, { id: job.id, state: 'completed', result: definition.result?.(input.state) });
  tell(options, 'completed');
}

async function giveUp<Payload, Services, State>(
  options: RunJobOptions<Payload, Services, State>,
  input: JobInput<Payload, Services, State>,
  error: unknown,
): Promise<void> {
  const { definition, control, job, cancelled, stopped } = options;
  const progress = (_: number, message?: string) =>
    markProgress(control, { id: job.id, progress: 0, step: 'roll back', message });
  await definition.rollBack?.({ jobId: job.id, signal: stopped, progress }, input);
  if (cancelled.aborted) {
    await markFinished(control, { id: job.id, state: 'cancelled' });
    return tell(options, 'cancelled');
  }
  await markFinished(control, { id: job.id, state: 'failed', error: failureOf(error) });
  tell(options, 'failed', error);
}

async function runSteps<Payload, Services, State>(
  { definition, control, job, cancelled, stopped }: RunJobOptions<Payload, Services, State>,
  input: JobInput<Payload, Services, State>,
): Promise<void> {
  const signal = AbortSignal.any([cancelled, stopped]);
  const total = definition.steps.reduce((sum, { weight = 1 }) => sum + weight, 0);
  let done = 0;
  for (const { name, weight = 1, run } of definition.steps) {
    signal.throwIfAborted();
    const progress = (fraction: number, message?: string) =>
      markProgress(control, {
        id: job.id,
        progress: ((done + weight * Math.min(Math.max(fraction, 0), 1)) / total) * 100,
        step: name,
        message,
      });
    const context: JobContext = { jobId: job.id, signal, progress };
    await progress(0);
    await run(context, input);
    done += weight;
  }
}

/** What a client may read of a failure: our own wording, never that of an unexpected error. */
function failureOf(error: unknown): JobFailure {
  if (!(error instanceof JobError)) {
    return { message: 'The job failed unexpectedly; the log of the admin worker has the cause' };
  }
  const { message, code, details, hint } = error;
  return {
    message,
    ...(code === undefined ? {} : { code }),
    ...(details === undefined ? {} : { details }),
    ...(hint === undefined ? {} : { hint }),
  };
}

function tell<Payload, Services, State>(
  { definition, job, observe }: RunJobOptions<Payload, Services, State>,
  state: string,
  cause?: unknown,
): void {
  // A project's own mistake is told to the client; the log gets what is not understood.
  const isOurs = cause !== undefined && !(cause instanceof JobError);
  observe({ kind: 'job-changed', jobId: job.id, job: definition.name, state, ...(isOurs ? { cause } : {}) });
}
