import type { JobFailure, JobRecord } from '../jobs/job-store.ts';

/** A job as the admin API shows it. */
export interface JobView {
  readonly id: string;
  readonly name: string;
  readonly tenant: string | null;
  readonly state: string;
  /** 0 to 100. */
  readonly progress: number;
  readonly step: string | null;
  readonly message: string | null;
  readonly error: JobFailure | null;
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
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
    error: job.error,
    result: job.result,
    created_at: job.created_at.toISOString(),
    started_at: job.started_at?.toISOString() ?? null,
    finished_at: job.finished_at?.toISOString() ?? null,
  };
}
