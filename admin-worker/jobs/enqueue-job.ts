import { randomUUID } from 'node:crypto';
import type { ClientBase } from 'pg';
import type { PgBoss } from 'pg-boss';
import { AdminError } from '../api/admin-error.ts';
import type { Actor } from '../tenants/audit.ts';
import { type JobKind, limitsOf } from './job-kind.ts';
import { JOB_COLUMNS, type JobRecord, jobFromRow } from './job-record.ts';
import { dbOver } from './queue.ts';

export interface NewJob<Payload extends object> {
  readonly kind: JobKind<Payload>;
  readonly payload: Payload;
  readonly actor: Actor;
  /** Jobs of a kind with a higher one are taken first. Default 0. */
  readonly priority?: number;
  /** Checks and says what would be done. Needs no key and holds none. */
  readonly isDryRun?: boolean;
}

/** What undoing may take beyond the deadline before the queue gives the job to another runner. */
const UNDO_SECONDS = 3_600;

/**
 * Records a job and puts it into its queue, in the caller's transaction.
 *
 * @throws {AdminError} `conflict` when its key is taken and its kind does not wait
 */
export async function enqueueJob<Payload extends object>(
  client: ClientBase,
  boss: PgBoss,
  job: NewJob<Payload>,
): Promise<JobRecord> {
  const { kind, payload, actor, priority = 0, isDryRun = false } = job;
  const limits = limitsOf(kind);
  const key = isDryRun ? undefined : kind.concurrencyKey?.(payload);
  if (key !== undefined && limits.whenBusy === 'refuse') await refuseIfBusy(client, key);
  const id = randomUUID();
  const { rows } = await client.query(
    `INSERT INTO control.jobs (id, name, tenant_id, actor, priority, is_dry_run, concurrency_key)
     VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${JOB_COLUMNS}`,
    [id, kind.name, kind.tenantOf?.(payload) ?? null, actor.fingerprint, priority, isDryRun, key ?? null],
  );
  await boss.send(kind.name, payload, {
    id,
    db: dbOver(client),
    priority,
    retryDelay: limits.retryDelaySeconds,
    expireInSeconds: limits.deadlineSeconds + UNDO_SECONDS,
  });
  return jobFromRow(rows[0]);
}

async function refuseIfBusy(client: ClientBase, key: string): Promise<void> {
  // Of two that ask at once the second waits here for the first to be committed.
  await client.query(`SELECT pg_advisory_xact_lock(hashtextextended('cascata/job-key/' || $1, 0))`, [key]);
  const { rows } = await client.query<{ id: string; name: string }>(
    `SELECT id, name FROM control.jobs WHERE concurrency_key = $1 AND state IN ('queued', 'active') LIMIT 1`,
    [key],
  );
  const other = rows[0];
  if (other === undefined) return;
  throw new AdminError('conflict', `The job ${other.id} (${other.name}) is in the way`, {
    hint: `Wait for it or cancel it: /v1/jobs/${other.id}`,
  });
}

/** Has the job that waits longest for a key taken up at once instead of at its next try. */
export async function wakeNextForKey(
  db: Pick<ClientBase, 'query'>,
  boss: PgBoss,
  key: string,
): Promise<void> {
  const { rows } = await db.query<{ id: string; name: string }>(
    `SELECT id, name FROM control.jobs WHERE concurrency_key = $1 AND state = 'queued'
     ORDER BY priority DESC, created_at LIMIT 1`,
    [key],
  );
  if (rows[0] !== undefined) await startNow(boss, rows[0]);
}

/** Has a job that waits in its queue taken up at once; one that is being worked on stays as it is. */
export async function startNow(
  boss: PgBoss,
  { id, name }: { id: string; name: string },
  options: { db?: ClientBase } = {},
): Promise<void> {
  const db = options.db === undefined ? {} : { db: dbOver(options.db) };
  await boss.update(name, undefined, { id, startAfter: 0, ...db });
}
