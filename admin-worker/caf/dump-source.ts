import type pg from 'pg';
import { quoteLiteral } from '../../gateway/platform/sql.ts';
import type { TenantServer } from '../connections.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { databaseOf, ownerOf } from '../jobs/tenant-connection.ts';
import { tenantRoles } from '../provision/tenant-names.ts';
import { namingOf, type TenantRecord } from '../tenants/tenant-record.ts';
import { ownedSchemas } from './database-facts.ts';
import type { ForeignDatabase } from './foreign-database.ts';
import { withForeignSource } from './foreign-source.ts';
import type { RoleNames } from './map-dump.ts';
import { DIGEST_SETTINGS } from './table-digests.ts';
import { withTenantLogin } from './tenant-login.ts';

/** A way to read all of a tenant's database. */
export interface DumpSource {
  readonly server: TenantServer;
  /** That the login becomes; `undefined`: it reads as itself. */
  readonly role: string | undefined;
  /** Another way, for large objects; they know no role that may read all of them. */
  readonly objects: TenantServer | undefined;
  /** Of a database that was not made here; `undefined` where names are such as we give. */
  readonly foreign: ForeignDatabase | undefined;
  /** The tenant's roles there → in an archive. */
  readonly names: RoleNames;
}

/**
 * Lends a way to the tenant's database that reads all of it: on our cluster with a login made for this, at a place that we moved the tenant to with the login that runs as its owner, in a
 * database of somebody else's with whatever login there is that can.
 *
 * @throws {JobError} `preflight` for a database that cannot be read as a whole, or that holds what an archive cannot
 */
export async function withDumpSource<T>(
  context: JobContext,
  tenant: TenantRecord,
  work: (source: DumpSource) => Promise<T>,
): Promise<T> {
  const { services, jobId } = context;
  if (tenant.role_prefix === null) return withForeignSource(context, tenant, work);
  const roles = Object.values(tenantRoles(namingOf(tenant)));
  const names = new Map(roles.map((role) => [role, role]));
  const own = { role: undefined, objects: undefined, foreign: undefined, names };
  if (tenant.placement_kind !== 'remote') {
    const isShared = tenant.placement_kind === 'shared';
    const login = { jobId, adminUrl: databaseOf(services, tenant).url, isShared, roles, seesAllRows: true };
    return withTenantLogin(login, (url) => work({ ...own, server: { url } }));
  }
  const server = await ownerOf(services, tenant);
  if (server !== undefined) return work({ ...own, server });
  throw new JobError(`The tenant '${tenant.id}' is remote, and nothing is known of how it came there`, {
    code: 'remote-tenant',
    hint: 'Archives are made of tenants on this cluster, of those that were moved from it, and of those that were adopted',
  });
}

/** A connection for reading, in a transaction that sees one moment: its own, or that of `snapshot`. It ends with `work`. */
export function reading<T>(
  context: JobContext,
  { server, role, snapshot }: Pick<DumpSource, 'server' | 'role'> & { readonly snapshot?: string },
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  return context.connect(server, async (client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    if (snapshot !== undefined) {
      await client.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshot)}`);
    }
    if (role !== undefined) await client.query(`SELECT set_config('role', $1, true)`, [role]);
    await client.query(DIGEST_SETTINGS);
    return work(client);
  });
}

/** @throws {JobError} when it has none */
export async function schemasOf(
  client: pg.ClientBase,
  tenant: TenantRecord,
  { foreign }: DumpSource,
): Promise<readonly string[]> {
  const schemas = foreign?.schemas ?? (await ownedSchemas(client, tenantRoles(namingOf(tenant)).owner));
  if (schemas.length === 0) throw new JobError(`The tenant '${tenant.id}' has no schemas`);
  return schemas;
}
