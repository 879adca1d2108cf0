import type { Pool } from 'pg';
import type { Observe } from '../../gateway/platform/observation.ts';
import type { AnyJobDefinition, JobContext } from '../jobs/job.ts';
import type { JobLease } from '../jobs/job-lease.ts';
import type { JobLog } from '../jobs/job-log.ts';
import type { JobRecord } from '../jobs/job-record.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { withJobConnection } from './job-connections.ts';

/** Reasons for a run to end before its steps do. */
export interface RunSignals {
  /** Aborts when somebody cancels the job. */
  readonly cancelled: AbortSignal;
  /** Aborts when the runner is to end: the step that runs may finish, no other begins. */
  readonly stopping: AbortSignal;
  /** Aborts when the runner cannot wait any longer. */
  readonly stopped: AbortSignal;
  /** Aborts when the queue has given the job to another runner. */
  readonly lost: AbortSignal;
}

/** One run of a job: what was read when it was taken, and what the steps are given. */
export interface JobRun {
  readonly definition: AnyJobDefinition;
  readonly services: AdminServices;
  readonly control: Pool;
  readonly observe: Observe;
  readonly lease: JobLease;
  readonly record: JobRecord;
  readonly log: JobLog;
  readonly signals: RunSignals;
  /** Aborts when the deadline has passed. */
  readonly late: AbortSignal;
  /** Resolves once connections of aborted steps are cut off. */
  readonly whenCutOff: () => Promise<void>;
  readonly payload: unknown;
  readonly state: object;
}

interface StepView {
  readonly name: string;
  readonly signal: AbortSignal;
  /** Progress of the whole job, from a fraction of the step. */
  readonly percent: (fraction: number) => number;
}

/** What one step is given. */
export function contextOf(run: JobRun, { name, signal, percent }: StepView): JobContext {
  const { lease, log, payload, state, services } = run;
  return {
    jobId: lease.jobId,
    attempt: lease.attempt,
    payload,
    state,
    services,
    signal,
    progress: (fraction, message) =>
      lease.progress(percent(Math.min(Math.max(fraction, 0), 1)), name, message),
    log: (line, level = 'info') => log.add(line, { level, step: name }),
    checkpoint: () => lease.saveState(state),
    assertLease: () => lease.assert(),
    connect: (server, work) => withJobConnection({ server, lease, signal }, work),
  };
}

/** Tells the log of the process. `step-…` states are for whoever follows a job closely. */
export function tell(
  run: Pick<JobRun, 'observe' | 'lease' | 'definition'>,
  state: string,
  more: { step?: string; cause?: unknown } = {},
): void {
  run.observe({ kind: 'job-changed', jobId: run.lease.jobId, job: run.definition.kind.name, state, ...more });
}
