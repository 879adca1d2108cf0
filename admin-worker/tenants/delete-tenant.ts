import { AdminError } from '../api/admin-error.ts';
import { inTransaction, sqlStateOf, withPooled } from '../connections.ts';
import { dropSharedTenant } from '../provision/shared-tenant.ts';
import type { AdminServices } from './admin-services.ts';
import { type Actor, recordAudit } from './audit.ts';
import { tenantLockKey } from './tenant-lock.ts';
import { findTenant, namingOf } from './tenant-record.ts';
import { tenantView } from './tenant-view.ts';
import { tenantNotFound } from './update-tenant.ts';

/**
 * Takes a tenant out of service, drops what it has on our cluster (a remote database is left alone), then its registry row.
 * Interrupted, it leaves a suspended tenant that can be deleted again.
 *
 * @throws {AdminError} `not_found`; `conflict` while a migration or a long query of the tenant is running
 */
export async function deleteTenant(
  { control, shared }: AdminServices,
  { id, actor }: { id: string; actor: Actor },
): Promise<void> {
  // Committed on its own: gateways stop sending requests before anything is dropped.
  const { rowCount } = await control.query(
    `UPDATE control.tenants SET status = 'suspended', updated_at = now() WHERE id = $1`,
    [id],
  );
  if (rowCount === 0) throw tenantNotFound(id);
  await inTransaction(control, async (client) => {
    await lockTenant(client, id);
    const record = await findTenant(client, id, 'lock');
    if (record === undefined) throw tenantNotFound(id);
    const naming = namingOf(record);
    await client.query('DELETE FROM control.tenants WHERE id = $1', [id]);
    await recordAudit(client, { actor, action: 'tenant.delete', tenantId: id, before: tenantView(record) });
    if (naming.rolePrefix === undefined) return;
    try {
      await withPooled(shared, (db) => dropSharedTenant(db, naming));
    } catch (error) {
      if (sqlStateOf(error) !== '55P03') throw error;
      throw new AdminError('conflict', `Queries of the tenant '${id}' are still running; it is suspended`, {
        hint: 'Try again once they have ended',
        cause: error,
      });
    }
  });
}

async function lockTenant(client: Parameters<typeof findTenant>[0], id: string): Promise<void> {
  const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS locked', [
    tenantLockKey(id),
  ]);
  if (rows[0]?.locked !== true) {
    throw new AdminError('conflict', `A migration of the tenant '${id}' is running`, {
      hint: 'Try again once it has ended',
    });
  }
}
