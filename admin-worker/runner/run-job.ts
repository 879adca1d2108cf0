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
  /** Aborts when the process ends or the queue gives the job to somebody else. */
  readonly signal: AbortSignal;
}

/**
 * Runs a job's steps, keeping its row in `control.jobs` up to date. Returns when the job has come to its end, good or bad; throws
 * when another attempt may help (the database went away, the process ends).
 */
export async function runJob<Payload, Services, State>(
  options: RunJobOptions<Payload, Services, State>,
): Promise<void> {
  const { definition, control, job, observe, services, signal } = options;
  const record = await markActive(control, job.id);
  // Cancelled while queued, or finished by an attempt that could not tell the queue.
  if (record === undefined) return;
  observe({ kind: 'job-changed', jobId: job.id, job: definition.name, state: 'active' });
  const state = definition.initialState();
  try {
    const payload = definition.payload.parse(job.data);
    await runSteps(options, { payload, services, state });
  } catch (error) {
    if (!(error instanceof JobError) && !job.isLastAttempt) throw error;
    await markFinished(control, { id: job.id, state: 'failed', error: failureOf(error) });
    observe({ kind: 'job-changed', jobId: job.id, job: definition.name, state: 'failed', cause: error });
    return;
  }
  signal.throwIfAborted();
  await markFinished(control, { id: job.id, state: 'completed', result: definition.result?.(state) });
  observe({ kind: 'job-changed', jobId: job.id, job: definition.name, state: 'completed' });
}

async function runSteps<Payload, Services, State>(
  { definition, control, job, signal }: RunJobOptions<Payload, Services, State>,
  input: { payload: Payload; services: Services; state: State },
): Promise<void> {
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
