import type pg from 'pg';
import { loginUrl } from '../../gateway/platform/derived-logins.ts';
import { unsealText } from '../../gateway/registry/sealing.ts';
import { Secret } from '../../gateway/registry/secrets.ts';
import { tenantSealContext } from '../../gateway/registry/tenant-row.ts';
import { type TenantServer, withClient, withDatabase, withPooled } from '../connections.ts';
import { unsealFor } from '../ejection/move.ts';
import { createMigrationLogin, dropMigrationLogin } from '../provision/migration-login.ts';
import type { MigrationTarget } from '../provision/run-migrations.ts';
import { MIGRATOR_ROLE, tenantRoles } from '../provision/tenant-names.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { namingOf, type TenantRecord } from '../tenants/tenant-record.ts';
import type { JobContext } from './job.ts';

/** The way to the tenant's database with rights to look at it. */
export function databaseOf(
  { masterKey, sharedDatabaseUrl, networkPolicy }: AdminServices,
  tenant: TenantRecord,
): TenantServer {
  if (tenant.database_name !== null) return { url: withDatabase(sharedDatabaseUrl, tenant.database_name) };
  if (tenant.sealed_connection_string === null) return { url: sharedDatabaseUrl };
  const context = tenantSealContext(tenant.id, 'connection_string');
  return {
    url: new Secret(unsealText(tenant.sealed_connection_string, { masterKey, context })),
    foreign: { policy: networkPolicy, caCertificate: tenant.ca_certificate ?? undefined },
  };
}

interface TenantConnection {
  readonly context: JobContext;
  readonly tenant: TenantRecord;
  readonly target: MigrationTarget;
}

/** Opens a connection that has the tenant's rights only, and takes back what was made for it. */
export async function withTenantConnection(
  { context, tenant, target }: TenantConnection,
  work: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const { services } = context;
  const server = databaseOf(services, tenant);
  const { url } = server;
  if (target.tenant === undefined) return context.connect((await ownerOf(services, tenant)) ?? server, work);
  const { owner } = target.tenant.roles;
  const isShared = tenant.placement_kind === 'shared';
  // The owner of a database of its own may connect there; into the shared one no tenant's role may.
  const memberOf = isShared ? [MIGRATOR_ROLE, owner] : [owner];
  const withAdmin: WithAdmin = (use) =>
    isShared ? withPooled(services.shared, use) : withClient({ url, applicationName: 'cascata-runner' }, use);
  const { name, password } = await withAdmin((admin) => createMigrationLogin(admin, memberOf));
  try {
    await context.connect({ url: loginUrl(url, { login: name, password }) }, work);
  } finally {
    await withAdmin((admin) => dropMigrationLogin(admin, name));
  }
}

/**
 * A tenant that we moved away has a login for this; its SQL runs as the owner, in the tenant's first schema. One that was adopted has the login that was given for it.
 * `undefined` for all others.
 */
export async function ownerOf(
  services: AdminServices,
  tenant: TenantRecord,
): Promise<TenantServer | undefined> {
  if (tenant.placement_kind !== 'remote') return undefined;
  const { rows } = await services.control.query<{ sealed: string | null }>(
    `SELECT sealed_migrator AS sealed FROM control.ejections WHERE tenant_id = $1
     UNION ALL SELECT sealed_migrator FROM control.adoptions WHERE tenant_id = $1`,
    [tenant.id],
  );
  const sealed = rows[0]?.sealed;
  if (sealed === undefined || sealed === null) return undefined;
  const url = new URL(unsealFor(services, tenant.id, { field: 'migrator', sealed }).reveal());
  const { rolePrefix, schemaPrefix } = namingOf(tenant);
  if (rolePrefix !== undefined) {
    const { owner } = tenantRoles({ rolePrefix, schemaPrefix });
    url.searchParams.set('options', `-c role=${owner} -c search_path=${schemaPrefix ?? 'public'},extensions`);
  }
  const { foreign } = databaseOf(services, tenant);
  return { url: new Secret(url.href), foreign };
}

type WithAdmin = <T>(use: (admin: pg.ClientBase) => Promise<T>) => Promise<T>;
