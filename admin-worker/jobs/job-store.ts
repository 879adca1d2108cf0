import { randomUUID } from 'node:crypto';
import type { ClientBase, Pool } from 'pg';
import type { PgBoss } from 'pg-boss';
import { z } from 'zod';
import type { JobState } from './job.ts';
import { dbOver } from './queue.ts';

const JobFailure = z.object({
  message: z.string(),
  code: z.string().optional(),
  details: z.string().optional(),
  hint: z.string().optional(),
});
/** Why a job failed, for whoever asked for it. */
export type JobFailure = z.output<typeof JobFailure>;

const STATES = [
  'queued',
  'active',
  'completed',
  'failed',
  'cancelled',
] as const satisfies readonly JobState[];

const JobRow = z.object({
  id: z.string(),
  name: z.string(),
  tenant_id: z.string().nullable(),
  state: z.enum(STATES),
  progress: z.number(),
  step: z.string().nullable(),
  message: z.string().nullable(),
  error: JobFailure.nullable(),
  result: z.record(z.string(), z.unknown()).nullable(),
  is_cancel_requested: z.boolean(),
  created_at: z.date(),
  started_at: z.date().nullable(),
  finished_at: z.date().nullable(),
});
export type JobRecord = z.output<typeof JobRow>;

const COLUMNS =
  'id, name, tenant_id, state, progress, step, message, error, result, is_cancel_requested, created_at, started_at, finished_at';

/** Notifications with a job's id whenever the job has changed, on the control database. */
export const JOBS_CHANNEL = 'cascata_jobs';

export const FINAL_STATES: ReadonlySet<JobState> = new Set(['completed', 'failed', 'cancelled']);

type Queryable = Pick<ClientBase | Pool, 'query'>;

/** Records a job and puts it into its queue, in the caller's transaction. */
export async function enqueueJob(
  client: ClientBase,
  boss: PgBoss,
  job: { name: string; tenantId: string; payload: object },
): Promise<JobRecord> {
  const id = randomUUID();
  const { rows } = await client.query(
    `INSERT INTO control.jobs (id, name, tenant_id) VALUES ($1, $2, $3) RETURNING ${COLUMNS}`,
    [id, job.name, job.tenantId],
  );
  await boss.send(job.name, job.payload, { id, db: dbOver(client) });
  return JobRow.parse(rows[0]);
}

export async function findJob(db: Queryable, id: string): Promise<JobRecord | undefined> {
  const { rows } = await db.query(`SELECT ${COLUMNS} FROM control.jobs WHERE id = $1`, [id]);
  return rows[0] === undefined ? undefined : JobRow.parse(rows[0]);
}

export async function markActive(db: Queryable, id: string): Promise<JobRecord | undefined> {
  const { rows } = await db.query(
    `UPDATE control.jobs SET state = 'active', started_at = COALESCE(started_at, now()), updated_at = now()
     WHERE id = $1 AND state IN ('queued', 'active') RETURNING ${COLUMNS}`,
    [id],
  );
  return rows[0] === undefined ? undefined : JobRow.parse(rows[0]);
}

/** @param progress 0 to 100; never goes back */
export async function markProgress(
  db: Queryable,
  {
    id,
    progress,
    step,
    message,
  }: { id: string; progress: number; step: string; message: string | undefined },
): Promise<void> {
  await db.query(
    `UPDATE control.jobs SET progress = GREATEST(progress, $2), step = $3, message = $4, updated_at = now()
     WHERE id = $1 AND state = 'active'`,
    [id, Math.round(progress), step, message ?? null],
  );
}

export async function markFinished(
  db: Queryable,
  job: {
    id: string;
    state: 'completed' | 'failed' | 'cancelled';
    error?: JobFailure | undefined;
    result?: Readonly<Record<string, unknown>> | undefined;
  },
): Promise<void> {
  await db.query(
    `UPDATE control.jobs
     SET state = $2, error = $3, result = $4, message = COALESCE($5, message),
       progress = CASE WHEN $2 = 'completed' THEN 100 ELSE progress END, finished_at = now(), updated_at = now()
     WHERE id = $1 AND state IN ('queued', 'active')`,
    [
      job.id,
      job.state,
      job.error === undefined ? null : JSON.stringify(job.error),
      job.result === undefined ? null : JSON.stringify(job.result),
      job.error?.message ?? null,
    ],
  );
}

const EventRow = z.object({
  id: z.string(),
  at: z.date(),
  state: z.enum(STATES),
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
