import type { ClientBase } from 'pg';
import type { Isolation } from '../../gateway/registry/tenant.ts';
import { AdminError } from '../api/admin-error.ts';
import { inTransaction, withPooled } from '../connections.ts';
import { deferredCode } from '../provision/deferred-code.ts';
import { admissionSql, dismissalSql } from '../provision/shared-tenant.ts';
import { tenantRoles } from '../provision/tenant-names.ts';
import type { AdminServices } from './admin-services.ts';
import { homeOf } from './tenant-home.ts';
import type { PlacementInput } from './tenant-input.ts';
import { tenantLockKey } from './tenant-lock.ts';
import { namingOf, type TenantRecord } from './tenant-record.ts';

/** Told with every answer that puts a tenant into `trusted`. */
export const TRUSTED_WARNING =
  'isolation "trusted": whoever can create functions in this project can read and change every other trusted project. ' +
  'Use it only for projects whose SQL you write yourself';

/**
 * The isolation of a new tenant: sealed in the shared database. Elsewhere a login is the tenant's own, and there is nothing to seal.
 *
 * @throws {AdminError} `invalid_request` for `sealed` with another placement
 */
export function isolationFor(kind: PlacementInput['kind'], wanted: Isolation | undefined): Isolation {
  if (kind === 'shared') return wanted ?? 'sealed';
  if (wanted === 'sealed') throw nothingToSeal();
  return 'trusted';
}

/**
 * Lets requests in by the new way before the registry says so; the old one is closed by `closeWay` when it has.
 *
 * @param control in the transaction that changes the registry
 * @throws {AdminError} `invalid_request` without a home in the shared database; `conflict` while a migration is running, and for
 * deferrable triggers, which a sealed tenant cannot have
 */
export async function openNewWay(
  services: AdminServices,
  { control, before, isolation }: { control: ClientBase; before: TenantRecord; isolation: Isolation },
): Promise<void> {
  const naming = namingOf(before);
  if (homeOf(naming) !== 'shared') throw nothingToSeal();
  const { rows } = await control.query<{ locked: boolean }>(
    'SELECT pg_try_advisory_xact_lock($1) AS locked',
    [tenantLockKey(before.id)],
  );
  if (rows[0]?.locked !== true) {
    throw new AdminError('conflict', `A migration of the tenant '${before.id}' is running`, {
      hint: 'Try again once it has ended',
    });
  }
  await inTransaction(services.shared, async (client) => {
    if (isolation === 'sealed') await refuseDeferredCode(client, before);
    await client.query(admissionSql(isolation, { naming, masterKey: services.masterKey }));
  });
}

/** Requests of a gateway that has not heard of the change yet fail from here on; it hears within milliseconds. */
export function closeWay(services: AdminServices, tenant: TenantRecord, isolation: Isolation): Promise<void> {
  return withPooled(services.shared, async (client) => {
    await client.query(dismissalSql(isolation, namingOf(tenant)));
  });
}

async function refuseDeferredCode(client: ClientBase, tenant: TenantRecord): Promise<void> {
  const { owner } = tenantRoles(namingOf(tenant));
  const found = await deferredCode(client, owner);
  if (found.length === 0) return;
  throw new AdminError(
    'conflict',
    `The tenant '${tenant.id}' cannot be sealed: ${found.join(', ')} would run at COMMIT`,
    {
      hint: 'Make them NOT DEFERRABLE, or give the project a database of its own',
    },
  );
}

function nothingToSeal(): AdminError {
  return new AdminError('invalid_request', 'isolation is for tenants in the shared database', {
    details: [{ path: 'isolation', message: "the placement has a login of the tenant's own" }],
  });
}
