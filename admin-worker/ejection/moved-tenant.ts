import type { ClientBase, Pool } from 'pg';
import { z } from 'zod';

const Row = z.object({
  from_kind: z.enum(['shared', 'database']),
  from_database: z.string().nullable(),
  sealed_target: z.string(),
});

/** How a tenant was moved away, and where its old copy is. */
export type PastMove = z.infer<typeof Row>;

/** `undefined` for a tenant that was not moved away by a job, or was moved back. */
export async function findMove(
  db: Pick<ClientBase | Pool, 'query'>,
  tenantId: string,
): Promise<PastMove | undefined> {
  const { rows } = await db.query(
    'SELECT from_kind, from_database, sealed_target FROM control.ejections WHERE tenant_id = $1',
    [tenantId],
  );
  return rows[0] === undefined ? undefined : Row.parse(rows[0]);
}

/**
 * Points the registry back at the old copy and forgets the move, in one transaction.
 *
 * @returns `false` when the tenant is no longer as it was when the way back began
 */
export async function flipHome(
  control: Pick<ClientBase, 'query'>,
  { tenantId, epoch, status }: { readonly tenantId: string; readonly epoch: number; readonly status: string },
): Promise<boolean> {
  const { rowCount } = await control.query(
    `WITH move AS (
       DELETE FROM control.ejections e USING control.tenants t
       WHERE e.tenant_id = $1 AND t.id = e.tenant_id AND t.epoch = $2 AND t.status = 'moving' RETURNING e.*),
     flipped AS (
       UPDATE control.tenants t
       SET placement_kind = m.from_kind, database_name = m.from_database, sealed_connection_string = NULL,
         sealed_read_replica_url = NULL, ca_certificate = NULL, placement_display = '{}', epoch = t.epoch + 1,
         status = $3, updated_at = now()
       FROM move m WHERE t.id = m.tenant_id RETURNING t.id),
     told AS (
       INSERT INTO control.audit_log (actor, action, tenant_id, after)
       SELECT 'runner', 'tenant.flip-back', f.id, jsonb_build_object('job', m.job_id) FROM flipped f, move m)
     SELECT FROM flipped`,
    [tenantId, epoch, status],
  );
  return rowCount === 1;
}
