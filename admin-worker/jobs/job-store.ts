import type { ClientBase, Pool } from 'pg';
import { z } from 'zod';
import {
  JOB_COLUMNS,
  JOB_STATES,
  JobFailure,
  type JobRecord,
  type JobState,
  jobFromRow,
} from './job-record.ts';

/** Notifications with a job's id whenever the job or its log has changed, on the control database. */
export const JOBS_CHANNEL = 'cascata_jobs';

/** Notifications with the id of an active job that somebody wants to be cancelled. */
export const CANCEL_CHANNEL = 'cascata_job_cancel';

export type Queryable = Pick<ClientBase | Pool, 'query'>;

export async function findJob(db: Queryable, id: string): Promise<JobRecord | undefined> {
  const { rows } = await db.query(`SELECT ${JOB_COLUMNS} FROM control.jobs WHERE id = $1`, [id]);
  return rows[0] === undefined ? undefined : jobFromRow(rows[0]);
}

export interface JobFilter {
  readonly tenant?: string | undefined;
  readonly state?: JobState | undefined;
  readonly kind?: string | undefined;
  readonly limit: number;
  /** Id of the last job of the page before. */
  readonly after?: string | undefined;
}

export interface JobPage {
  readonly jobs: readonly JobRecord[];
  /** Give it as `after` for the next page. */
  readonly next: string | undefined;
}

/** Jobs, the newest first. An `after` that is no longer there gives an empty page. */
export async function listJobs(db: Queryable, filter: JobFilter): Promise<JobPage> {
  const { tenant, state, kind, limit, after } = filter;
  const { rows } = await db.query(
    `SELECT ${JOB_COLUMNS} FROM control.jobs
     WHERE ($1::text IS NULL OR tenant_id = $1) AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR name = $3)
       AND ($4::uuid IS NULL OR (created_at, id) < (SELECT a.created_at, a.id FROM control.jobs a WHERE a.id = $4))
     ORDER BY created_at DESC, id DESC LIMIT $5`,
    [tenant ?? null, state ?? null, kind ?? null, after ?? null, limit + 1],
  );
  const jobs = rows.slice(0, limit).map(jobFromRow);
  return { jobs, next: rows.length > limit ? jobs.at(-1)?.id : undefined };
}

const EventRow = z.object({
  id: z.string(),
  at: z.date(),
  state: z.enum(JOB_STATES),
  progress: z.number(),
  step: z.string().nullable(),
  message: z.string().nullable(),
  error: JobFailure.nullable(),
});
export type JobEvent = z.output<typeof EventRow>;

/** Events of a job after the event `afterId`, oldest first. */
export async function readJobEvents(
  db: Queryable,
  jobId: string,
  afterId: string,
): Promise<readonly JobEvent[]> {
  const { rows } = await db.query(
    `SELECT id, at, state, progress, step, message, error FROM control.job_events
     WHERE job_id = $1 AND id > $2 ORDER BY id LIMIT 500`,
    [jobId, afterId],
  );
  return rows.map((row) => EventRow.parse(row));
}
