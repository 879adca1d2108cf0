import type { Observe } from '../../gateway/platform/observation.ts';
import { type AnyJobDefinition, JobError, LeaseLostError } from '../jobs/job.ts';
import { limitsOf } from '../jobs/job-kind.ts';
import { claimJob, type JobLease } from '../jobs/job-lease.ts';
import { JobLog } from '../jobs/job-log.ts';
import type { JobFailure, JobRecord } from '../jobs/job-record.ts';
import { findJob } from '../jobs/job-store.ts';
import { ReportedError } from '../reported-error.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { cutOffEarlierRuns, cutOffRun } from './job-connections.ts';
import { contextOf, type JobRun, type RunSignals, tell } from './job-run.ts';
import { runSteps, undoSteps } from './run-steps.ts';

export interface RunJobOptions {
  readonly definition: AnyJobDefinition;
  readonly services: AdminServices;
  readonly observe: Observe;
  /** `attempt` grows with each claim of the queue, from 1. */
  readonly job: { readonly id: string; readonly data: unknown; readonly attempt: number };
  readonly signals: RunSignals;
}

/**
 * What the queue has to do now: nothing (the job is over, or another runner has it); lend it again after a delay that grows; lend it
 * again at once; lend it again when the job that holds its key is over.
 */
export type JobOutcome = 'over' | 'retry' | 'hand-over' | 'busy';

/** A failing undo is tried this often beyond the kind's own limit. */
const UNDO_RETRIES = 5;

/** Takes a job and works on it until it is over or somebody else has to go on. Throws only when the control database is away. */
export async function runJob(options: RunJobOptions): Promise<JobOutcome> {
  const { definition, services, observe, job, signals } = options;
  const { control } = services;
  const run = { jobId: job.id, attempt: job.attempt };
  // Before, so that no lock of an earlier run is in the way; after, for a connection that it opened in between.
  if (job.attempt > 1) await cutOffEarlierRuns(control, run);
  const claim = await claimJob(control, { ...run, kind: definition.kind });
  if (claim.kind !== 'claimed') return claim.kind;
  if (job.attempt > 1) await cutOffEarlierRuns(control, run);
  const { lease, record } = claim;
  const log = new JobLog({
    control,
    ...run,
    onError: (cause) => observe({ kind: 'registry-unreachable', cause }),
  });
  const late = new AbortController();
  const timer = setTimeout(
    () =>
      late.abort(
        new JobError(`The job did not end within ${limitsOf(definition.kind).deadlineSeconds} s`, {
          code: 'deadline',
        }),
      ),
    Math.max(record.deadline_at!.getTime() - Date.now(), 0),
  );
  let cutting = Promise.resolve();
  const cutOff = () => {
    cutting = cutOffRun(control, run).catch(() => undefined); // The sockets are closed anyway.
  };
  const aborted = AbortSignal.any([signals.stopped, signals.lost, signals.cancelled, late.signal]);
  aborted.addEventListener('abort', cutOff, { once: true });
  try {
    return await attempt({ ...options, lease, record, log, late: late.signal, whenCutOff: () => cutting });
  } catch (error) {
    if (error instanceof LeaseLostError || signals.lost.aborted) {
      tell({ observe, lease, definition }, 'lost');
      return 'over';
    }
    throw error;
  } finally {
    clearTimeout(timer);
    aborted.removeEventListener('abort', cutOff);
    await log.flush();
  }
}

interface Attempt extends RunJobOptions {
  readonly lease: JobLease;
  readonly record: JobRecord;
  readonly log: JobLog;
  readonly late: AbortSignal;
  readonly whenCutOff: () => Promise<void>;
}

async function attempt(options: Attempt): Promise<JobOutcome> {
  const { definition, services, job, lease, record } = options;
  const payload = definition.kind.payload.safeParse(job.data);
  const state = definition.state.safeParse(record.step_state);
  if (!payload.success || !state.success) {
    await finish(options, { state: 'failed', error: failureOf(undefined) });
    tell({ ...options, lease }, 'failed', { cause: payload.error ?? state.error });
    return 'over';
  }
  const run: JobRun = { ...options, control: services.control, payload: payload.data, state: state.data };
  tell(run, 'active');
  if (record.is_dry_run) return dryRun(run);
  if (record.is_undoing) return undo(run, record.error ?? undefined);
  const { retryLimit } = limitsOf(definition.kind);
  if (!record.is_past_return && record.is_cancel_requested) return beginUndo(run, undefined);
  if (record.failures > retryLimit) {
    return beginUndo(run, {
      message: `The job was given up: its runner died ${record.failures} times while it was at work`,
    });
  }
  try {
    await runSteps(run);
  } catch (error) {
    return afterFailure(run, error);
  }
  await finish(run, { state: 'completed', result: definition.result?.(run.state) });
  tell(run, 'completed');
  return 'over';
}

async function afterFailure(run: JobRun, error: unknown): Promise<JobOutcome> {
  const { signals, late, control, lease, definition, record, log } = run;
  throwIfLost(run, error);
  const { is_past_return: isPastReturn, is_cancel_requested: isCancelled } = (await findJob(
    control,
    lease.jobId,
  ))!;
  if (!isPastReturn && (signals.cancelled.aborted || isCancelled)) return beginUndo(run, undefined);
  if (signals.stopping.aborted || signals.stopped.aborted) return handOver(run);
  if (!isPastReturn && late.aborted) return beginUndo(run, failureOf(late.reason));
  if (error instanceof ReportedError) return beginUndo(run, failureOf(error), error);
  const { retryLimit } = limitsOf(definition.kind);
  if (record.failures >= retryLimit) return beginUndo(run, failureOf(error), error);
  log.add(`attempt ${lease.attempt} failed unexpectedly, the runner's log has the cause; it is tried again`, {
    level: 'error',
  });
  await lease.release({ isFailure: true, message: 'An unexpected failure; trying again' });
  tell(run, 'retry', { cause: error });
  return 'retry';
}

async function beginUndo(run: JobRun, failure: JobFailure | undefined, cause?: unknown): Promise<JobOutcome> {
  const level = failure === undefined ? 'warn' : 'error';
  run.log.add(failure === undefined ? 'the job was cancelled' : failure.message, { level });
  await run.lease.beginUndo(failure);
  return undo(run, failure, cause);
}

async function undo(run: JobRun, failure: JobFailure | undefined, cause?: unknown): Promise<JobOutcome> {
  const { lease, definition, control, signals, log } = run;
  const { is_past_return: isPastReturn, failures } = (await findJob(control, lease.jobId))!;
  try {
    // Connections of the steps that were aborted have this run's name too; those of the undoing must not be taken for them.
    await run.whenCutOff();
    if (!isPastReturn) await undoSteps(run);
  } catch (error) {
    throwIfLost(run, error);
    if (signals.stopping.aborted || signals.stopped.aborted) return handOver(run);
    if (failures < limitsOf(definition.kind).retryLimit + UNDO_RETRIES) {
      log.add("undoing failed, the runner's log has the cause; it is tried again", { level: 'error' });
      await lease.release({ isFailure: true, message: 'Undoing failed; trying again' });
      tell(run, 'retry', { cause: error });
      return 'retry';
    }
    await finish(run, { state: 'failed', error: notUndone(failure) });
    tell(run, 'failed', { cause: error });
    return 'over';
  }
  if (failure === undefined) await finish(run, { state: 'cancelled' });
  else await finish(run, { state: 'failed', error: failure });
  // What a tenant did wrong is told to whoever asked; the log of the process gets what is not understood.
  const isOurs = cause !== undefined && !(cause instanceof ReportedError);
  tell(run, failure === undefined ? 'cancelled' : 'failed', isOurs ? { cause } : {});
  return 'over';
}

async function dryRun(run: JobRun): Promise<JobOutcome> {
  const { definition, signals, late } = run;
  const signal = AbortSignal.any([signals.stopped, signals.lost, signals.cancelled, late]);
  try {
    const plan = await definition.dryRun(
      contextOf(run, { name: 'dry run', signal, percent: (fraction) => fraction * 100 }),
    );
    await finish(run, { state: 'completed', result: { plan } });
  } catch (error) {
    return afterFailure(run, error);
  }
  tell(run, 'completed');
  return 'over';
}

/** Whoever follows the log leaves with the job's end, so all of it has to be there before. */
async function finish(
  { lease, log }: Pick<JobRun, 'lease' | 'log'>,
  end: Parameters<JobLease['finish']>[0],
): Promise<void> {
  await log.flush();
  await lease.finish(end);
}

async function handOver(run: JobRun): Promise<JobOutcome> {
  await run.lease.release({ isFailure: false, message: 'The runner ends; another one goes on' });
  tell(run, 'handed-over');
  return 'hand-over';
}

function throwIfLost({ signals }: JobRun, error: unknown): void {
  if (error instanceof LeaseLostError || signals.lost.aborted) throw error;
}

/** What a client may read of a failure: our own wording, never that of an unexpected error. */
function failureOf(error: unknown): JobFailure {
  if (!(error instanceof ReportedError)) {
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

function notUndone(failure: JobFailure | undefined): JobFailure {
  return {
    ...failure,
    message: `${failure?.message ?? 'The job was cancelled'}, and could not be undone`,
    hint: 'steps_begun of the job says which steps are left; the log of the admin worker has the cause',
  };
}
