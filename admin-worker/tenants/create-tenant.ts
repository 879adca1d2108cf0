import type { ClientBase } from 'pg';
import type { Isolation, TenantNaming } from '../../gateway/registry/tenant.ts';
import { AdminError } from '../api/admin-error.ts';
import { backendColumns, givenBackends } from '../backends/backends.ts';
import { refuseTakenPlaces, tryBackends } from '../backends/check-backends.ts';
import { inTransaction } from '../connections.ts';
import { NameTakenError } from '../provision/shared-tenant.ts';
import type { AdminServices } from './admin-services.ts';
import { type Actor, recordAudit } from './audit.ts';
import { isolationFor } from './change-isolation.ts';
import { exposedSchemas, refuseOwnNetworks, tryConnections } from './check-placement.ts';
import { conflictOf } from './conflicts.ts';
import { jwtColumns } from './jwt-input.ts';
import { placementColumns } from './placement-columns.ts';
import { dropHome, namingFor, provisionHome } from './tenant-home.ts';
import type { CreateTenantInput } from './tenant-input.ts';
import { readTenantKeys, replaceApiKeys, type TenantKeys } from './tenant-keys.ts';
import { findTenant, type TenantRecord } from './tenant-record.ts';
import { tenantView } from './tenant-view.ts';

/** Keeps two creations apart, whose ids may shadow one another (`acme`, `acme_x`) without being equal. */
export const CREATE_LOCK = 7_305_891_264_402;

/**
 * Registers a tenant and makes what its placement needs. Either all of it is there afterwards or nothing.
 *
 * @throws {AdminError} `conflict` when id or host is taken, `unreachable` for a DSN that leads nowhere
 */
export async function createTenant(
  services: AdminServices,
  input: CreateTenantInput,
  actor: Actor,
): Promise<{ tenant: TenantRecord; keys: TenantKeys }> {
  const { control, masterKey, pgbouncer } = services;
  const isolation = isolationFor(input.placement.kind, input.isolation);
  await tryConnections(services, input.placement);
  await refuseOwnNetworks(services, input.jwt);
  await tryBackends(services, givenBackends(input.backends));
  const naming = namingFor(input.placement.kind, input.id);
  const logicalSchemas = exposedSchemas(input.postgrest, naming);
  let isProvisioned = false;
  try {
    const created = await inTransaction(control, async (client) => {
      const tenant = await registerTenant(client, services, { input, actor, action: 'tenant.create' });
      const keys = await readTenantKeys(client, tenant, masterKey);
      // Last, so that all that can fail of the registry has not failed; what is left is its COMMIT.
      await provisionHome(services, { id: input.id, naming, logicalSchemas, isolation });
      isProvisioned = true;
      return { tenant, keys };
    });
    await pgbouncer?.sync();
    return created;
  } catch (error) {
    if (isProvisioned) await dropHome(services, { id: input.id, naming });
    if (error instanceof NameTakenError) throw new AdminError('conflict', error.message, { cause: error });
    throw conflictOf(error, input) ?? error;
  }
}

/**
 * Writes a new tenant, its hosts and new API keys into the registry, in the caller's transaction. What its placement needs is the caller's.
 *
 * @throws {AdminError} `conflict` when the id is too close to another one
 * @throws {pg.DatabaseError} for an id or a host that is taken: `conflictOf` words it
 */
export async function registerTenant(
  client: ClientBase,
  { masterKey }: Pick<AdminServices, 'masterKey'>,
  { input, actor, action }: { input: CreateTenantInput; actor: Actor; action: string },
): Promise<TenantRecord> {
  const { id, placement } = input;
  await client.query('SELECT pg_advisory_xact_lock($1)', [CREATE_LOCK]);
  await refuseShadowing(client, id, id);
  await refuseTakenPlaces(client, { tenantId: id, backends: givenBackends(input.backends) });
  const naming = namingFor(placement.kind, id);
  const isolation = isolationFor(placement.kind, input.isolation);
  await insertTenant(client, { input, naming, isolation, masterKey });
  await replaceApiKeys(client, { tenantId: id, kinds: ['publishable', 'secret'], masterKey });
  const tenant = (await findTenant(client, id))!;
  await recordAudit(client, { actor, action, tenantId: id, after: tenantView(tenant) });
  return tenant;
}

/**
 * `acme` has the names `acme_anon`, `acme_api`, …, so no other tenant may be called `acme_…`. A tenant that was hydrated under another id has
 * the names of its origin.
 *
 * @param name id of a tenant to be made, or the prefix of its names
 * @throws {AdminError} `conflict`
 */
export async function refuseShadowing(client: ClientBase, name: string, id: string): Promise<void> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT t.id FROM control.tenants t CROSS JOIN LATERAL (VALUES (t.id), (t.role_prefix)) AS v(name)
     WHERE t.id <> $2 AND (v.name = $1 OR starts_with(v.name, $1 || '_') OR starts_with($1, v.name || '_')) LIMIT 1`,
    [name, id],
  );
  if (rows[0] === undefined) return;
  throw new AdminError('conflict', `The id '${name}' is too close to the tenant '${rows[0].id}'`, {
    hint: "An id must not be another tenant's id followed by _, since names in the database are made that way",
  });
}

async function insertTenant(
  client: ClientBase,
  options: {
    input: CreateTenantInput;
    naming: TenantNaming;
    isolation: Isolation;
    masterKey: AdminServices['masterKey'];
  },
): Promise<void> {
  const { input, naming, isolation, masterKey } = options;
  const row = {
    id: input.id,
    ...placementColumns(input.placement, { tenantId: input.id, masterKey }),
    isolation,
    schema_prefix: naming.schemaPrefix ?? null,
    role_prefix: naming.rolePrefix ?? null,
    ...jwtColumns(input.jwt, { tenantId: input.id, masterKey }),
    require_api_key: input.require_api_key,
    ...input.limits,
    postgrest: input.postgrest,
    ...backendColumns(input.backends, { tenantId: input.id, masterKey }),
  };
  const columns = Object.keys(row).join(', ');
  await client.query(
    `INSERT INTO control.tenants (${columns})
     SELECT ${columns} FROM json_populate_record(NULL::control.tenants, $1)`,
    [JSON.stringify(row)],
  );
  await client.query('INSERT INTO control.tenant_hosts (host, tenant_id) SELECT unnest($1::text[]), $2', [
    input.hosts,
    input.id,
  ]);
}
