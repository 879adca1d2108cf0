import type { JobFailure, JobRecord } from '../jobs/job-record.ts';

/** A job as the admin API shows it. */
export interface JobView {
  readonly id: string;
  /** Its kind. */
  readonly name: string;
  readonly tenant: string | null;
  readonly state: string;
  /** 0 to 100. */
  readonly progress: number;
  readonly step: string | null;
  readonly message: string | null;
  readonly dry_run: boolean;
  readonly priority: number;
  /** Number of the run that is at work, or was the last one. */
  readonly attempt: number;
  /** Runs that failed or died. */
  readonly failures: number;
  /** In the order in which they were begun, without those that were undone. */
  readonly steps_begun: readonly string[];
  readonly steps_done: readonly string[];
  readonly cancel_requested: boolean;
  readonly undoing: boolean;
  readonly error: JobFailure | null;
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly deadline_at: string | null;
}

export function jobView(job: JobRecord): JobView {
  return {
    id: job.id,
    name: job.name,
    tenant: job.tenant_id,
    state: job.state,
    progress: job.progress,
    step: job.step,
    message: job.message,
    dry_run: job.is_dry_run,
    priority: job.priority,
    attempt: job.attempt,
    failures: job.failures,
    steps_begun: job.steps_begun,
    steps_done: job.steps_done,
    cancel_requested: job.is_cancel_requested,
    undoing: job.is_undoing && job.state === 'active',
    error: job.error,
    result: job.result,
    created_at: job.created_at.toISOString(),
    started_at: job.started_at?.toISOString() ?? null,
    finished_at: job.finished_at?.toISOString() ?? null,
    deadline_at: job.deadline_at?.toISOString() ?? null,
  };
}
