import type { ClientBase, Pool } from 'pg';
import { z } from 'zod';

const Row = z.object({
  from_kind: z.enum(['shared', 'database']),
  from_database: z.string().nullable(),
  sealed_target: z.string(),
  moved_at: z.date(),
  keep_until: z.date(),
  old_copy_deleted_at: z.date().nullable(),
});

/** How a tenant was moved away, and where its old copy is. */
export type PastMove = z.infer<typeof Row>;

/** Why there is no flipping back. */
export const OLD_COPY_GONE =
  'The old copy has been deleted; "repatriate" brings the rows back from where they are';

/** `undefined` for a tenant that was not moved away by a job, or was moved back. */
export async function findMove(
  db: Pick<ClientBase | Pool, 'query'>,
  tenantId: string,
): Promise<PastMove | undefined> {
  const { rows } = await db.query(
    `SELECT from_kind, from_database, sealed_target, moved_at, keep_until, old_copy_deleted_at
     FROM control.ejections WHERE tenant_id = $1`,
    [tenantId],
  );
  return rows[0] === undefined ? undefined : Row.parse(rows[0]);
}

export interface WayHome {
  readonly tenantId: string;
  readonly epoch: number;
  readonly status: string;
  /** `flip-back` to the old copy, or `repatriate` with all rows. */
  readonly by: 'flip-back' | 'repatriate';
  readonly jobId: string;
}

/**
 * Points the registry back at this installation and forgets the move, in one transaction.
 *
 * @returns `false` when the tenant is no longer as it was when the way back began
 */
export async function flipHome(
  control: Pick<ClientBase, 'query'>,
  { tenantId, epoch, status, by, jobId }: WayHome,
): Promise<boolean> {
  const { rowCount } = await control.query(
    `WITH flipped AS (
       UPDATE control.tenants t
       SET placement_kind = e.from_kind, database_name = e.from_database, sealed_connection_string = NULL,
         sealed_read_replica_url = NULL, ca_certificate = NULL, placement_display = '{}', epoch = t.epoch + 1,
         status = $3, updated_at = now()
       FROM control.ejections e WHERE e.tenant_id = t.id AND t.id = $1 AND t.epoch = $2 AND t.status = 'moving'
       RETURNING t.id, e.job_id),
     forgotten AS (
       DELETE FROM control.ejections e USING flipped f WHERE e.tenant_id = f.id),
     recorded AS (
       INSERT INTO control.returns (tenant_id, job_id) SELECT id, $5 FROM flipped
       ON CONFLICT (tenant_id) DO UPDATE SET job_id = EXCLUDED.job_id, moved_at = now()),
     told AS (
       INSERT INTO control.audit_log (actor, action, tenant_id, after)
       SELECT 'runner', 'tenant.' || $4::text, f.id, jsonb_build_object('job', $5::uuid, 'ejected_by', f.job_id) FROM flipped f)
     SELECT FROM flipped`,
    [tenantId, epoch, status, by, jobId],
  );
  return rowCount === 1;
}

/** Whether this job has brought the tenant back, in whichever of its runs. */
export async function isBackBy(
  db: Pick<ClientBase | Pool, 'query'>,
  tenantId: string,
  jobId: string,
): Promise<boolean> {
  const { rowCount } = await db.query('SELECT FROM control.returns WHERE tenant_id = $1 AND job_id = $2', [
    tenantId,
    jobId,
  ]);
  return rowCount === 1;
}
