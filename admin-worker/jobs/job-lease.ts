import type { Pool } from 'pg';
import { sqlStateOf } from '../connections.ts';
import { LeaseLostError } from './job.ts';
import type { AnyJobKind } from './job-kind.ts';
import { limitsOf } from './job-kind.ts';
import { JOB_COLUMNS, type JobFailure, type JobRecord, jobFromRow } from './job-record.ts';

/** What came of trying to take a job: it is over (or another runner's), its key is another job's, or it is ours. */
export type Claim =
  | { readonly kind: 'over' }
  | { readonly kind: 'busy' }
  | { readonly kind: 'claimed'; readonly lease: JobLease; readonly record: JobRecord };

/**
 * Takes a job for the run `attempt`. Every claim of the queue has a higher number than the one before, so from here on nothing that
 * an earlier run writes about the job counts, however late it wakes.
 */
export async function claimJob(
  control: Pool,
  { jobId, attempt, kind }: { jobId: string; attempt: number; kind: AnyJobKind },
): Promise<Claim> {
  try {
    const { rows } = await control.query(
      `UPDATE control.jobs
       SET state = 'active', attempt = $2, failures = failures + is_attempt_open::int, is_attempt_open = true,
         started_at = COALESCE(started_at, now()),
         deadline_at = COALESCE(deadline_at, now() + $3 * interval '1 second'), updated_at = now()
       WHERE id = $1 AND attempt < $2 AND state IN ('queued', 'active') RETURNING ${JOB_COLUMNS}`,
      [jobId, attempt, limitsOf(kind).deadlineSeconds],
    );
    if (rows[0] === undefined) return { kind: 'over' };
    return { kind: 'claimed', lease: new JobLease(control, jobId, attempt), record: jobFromRow(rows[0]) };
  } catch (error) {
    if (sqlStateOf(error) === '23505') return { kind: 'busy' };
    throw error;
  }
}

/** The right of one run to write about its job. Each method throws `LeaseLostError` once another run has taken it. */
export class JobLease {
  readonly jobId: string;
  readonly attempt: number;
  readonly #control: Pool;
  #shown = '';

  constructor(control: Pool, jobId: string, attempt: number) {
    this.#control = control;
    this.jobId = jobId;
    this.attempt = attempt;
  }

  async assert(): Promise<void> {
    const { rowCount } = await this.#control.query(
      `SELECT 1 FROM control.jobs WHERE id = $1 AND attempt = $2 AND state = 'active'`,
      [this.jobId, this.attempt],
    );
    if (rowCount !== 1) throw this.#lost();
  }

  /** @param progress 0 to 100; what is shown never goes back */
  async progress(progress: number, step: string, message: string | undefined): Promise<void> {
    const percent = Math.round(progress);
    const shown = JSON.stringify([percent, step, message]);
    if (shown === this.#shown) return;
    await this.#write('progress = GREATEST(progress, $3), step = $4, message = $5', [
      percent,
      step,
      message ?? null,
    ]);
    this.#shown = shown;
  }

  async beginStep(name: string, progress: number): Promise<void> {
    await this.#write(
      `steps_begun = array_append(array_remove(steps_begun, $3), $3), progress = GREATEST(progress, $4), step = $3, message = NULL`,
      [name, Math.round(progress)],
    );
  }

  async saveState(state: object): Promise<void> {
    await this.#write('step_state = $3', [JSON.stringify(state)]);
  }

  async finishStep(
    name: string,
    { state, isPastReturn }: { state: object; isPastReturn: boolean },
  ): Promise<void> {
    await this.#write(
      'steps_done = array_append(steps_done, $3), step_state = $4, is_past_return = is_past_return OR $5',
      [name, JSON.stringify(state), isPastReturn],
    );
  }

  /** From now on the job only goes backwards. @param failure `undefined`: it was cancelled */
  async beginUndo(failure: JobFailure | undefined): Promise<void> {
    await this.#write('is_undoing = true, error = $3', [
      failure === undefined ? null : JSON.stringify(failure),
    ]);
  }

  async finishUndo(name: string, state: object): Promise<void> {
    await this.#write(
      'steps_begun = array_remove(steps_begun, $3), steps_done = array_remove(steps_done, $3), step_state = $4',
      [name, JSON.stringify(state)],
    );
  }

  /** Ends this run, not the job: another one will take it up. */
  async release(end: { isFailure: boolean; message?: string }): Promise<void> {
    await this.#write(
      'is_attempt_open = false, failures = failures + $3::bool::int, message = COALESCE($4, message)',
      [end.isFailure, end.message ?? null],
    );
  }

  /** Ends the job. */
  async finish(end: {
    state: 'completed' | 'failed' | 'cancelled';
    error?: JobFailure | undefined;
    result?: Readonly<Record<string, unknown>> | undefined;
  }): Promise<void> {
    const { state, error, result } = end;
    await this.#write(
      `state = $3, error = $4, result = $5, message = COALESCE($6, message), is_attempt_open = false,
       progress = CASE WHEN $3 = 'completed' THEN 100 ELSE progress END, finished_at = now()`,
      [
        state,
        error === undefined ? null : JSON.stringify(error),
        result === undefined ? null : JSON.stringify(result),
        error?.message ?? null,
      ],
      `, ended AS (
         INSERT INTO control.audit_log (actor, action, tenant_id, after)
         SELECT 'runner', 'job.' || state, tenant_id, jsonb_build_object('job', id, 'kind', name, 'attempt', attempt, 'error', error)
         FROM written)`,
    );
  }

  async #write(assignments: string, values: readonly unknown[], also = ''): Promise<void> {
    const { rowCount } = await this.#control.query(
      `WITH written AS (
         UPDATE control.jobs SET ${assignments}, updated_at = now()
         WHERE id = $1 AND attempt = $2 AND state = 'active' RETURNING *)${also}
       SELECT 1 FROM written`,
      [this.jobId, this.attempt, ...values],
    );
    if (rowCount !== 1) throw this.#lost();
  }

  #lost(): LeaseLostError {
    return new LeaseLostError(
      `run ${this.attempt} of the job ${this.jobId} is no longer the one that counts`,
    );
  }
}
