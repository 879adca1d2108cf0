import { AdminError } from '../api/admin-error.ts';
import { openBackends } from '../backends/backends.ts';
import { deleteContents } from '../caf/delete-contents.ts';
import { inTransaction, sqlStateOf } from '../connections.ts';
import type { AdminServices } from './admin-services.ts';
import { type Actor, recordAudit } from './audit.ts';
import { dropHome } from './tenant-home.ts';
import { tenantLockKey } from './tenant-lock.ts';
import { findTenant, namingOf } from './tenant-record.ts';
import { tenantView } from './tenant-view.ts';
import { tenantNotFound } from './update-tenant.ts';

/** SQLSTATE of a lock that was not had in time, and of a database that cannot be cut off. */
const IN_USE: ReadonlySet<string> = new Set(['55P03', '55006']);

const CONTENTS_TIMEOUT_MS = 100_000;

/**
 * Takes a tenant out of service, drops what it has on our cluster (a remote database is left alone), then its registry row.
 * Interrupted, it leaves a suspended tenant that can be deleted again.
 *
 * @param options.withContents its files and its collections too, wherever they are
 * @throws {AdminError} `not_found`; `conflict` while a migration or a long query of the tenant is running
 */
export async function deleteTenant(
  services: AdminServices,
  { id, withContents, actor }: { id: string; withContents: boolean; actor: Actor },
): Promise<void> {
  const { control, pgbouncer } = services;
  // Committed on its own: gateways stop sending requests before anything is dropped.
  const { rowCount } = await control.query(
    `UPDATE control.tenants
     SET status = 'suspended', forward_url = NULL, forward_ca_certificate = NULL, updated_at = now() WHERE id = $1`,
    [id],
  );
  if (rowCount === 0) throw tenantNotFound(id);
  if (withContents) await dropContents(services, id);
  await inTransaction(control, async (client) => {
    await lockTenant(client, id);
    const record = await findTenant(client, id, 'lock');
    if (record === undefined) throw tenantNotFound(id);
    await client.query('DELETE FROM control.tenants WHERE id = $1', [id]);
    await recordAudit(client, { actor, action: 'tenant.delete', tenantId: id, before: tenantView(record) });
    try {
      await dropHome(services, { id, naming: namingOf(record) });
    } catch (error) {
      if (!IN_USE.has(sqlStateOf(error) ?? '')) throw error;
      throw new AdminError('conflict', `Queries of the tenant '${id}' are still running; it is suspended`, {
        hint: 'Try again once they have ended',
        cause: error,
      });
    }
  });
  await pgbouncer?.sync();
}

/** @throws {AdminError} `unavailable` when the store or the vector server does not do it */
async function dropContents(services: AdminServices, id: string): Promise<void> {
  const record = await findTenant(services.control, id);
  if (record === undefined) return;
  const backends = openBackends(record, { tenantId: id, masterKey: services.masterKey });
  try {
    const signal = AbortSignal.timeout(CONTENTS_TIMEOUT_MS);
    await deleteContents(services, { tenantId: id, backends, signal });
  } catch (cause) {
    throw new AdminError(
      'unavailable',
      `The files or vectors of '${id}' could not be removed; it is suspended`,
      {
        hint: 'Try again, or without "contents=delete"',
        cause,
      },
    );
  }
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
