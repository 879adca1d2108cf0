import type { TenantServer } from '../connections.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { databaseOf, ownerOf } from '../jobs/tenant-connection.ts';
import { tenantRoles } from '../provision/tenant-names.ts';
import { namingOf, type TenantRecord } from '../tenants/tenant-record.ts';
import { withTenantLogin } from './tenant-login.ts';

/**
 * Lends a way to the tenant's database that reads all of it: on our cluster with a login made for this, at a place that we moved the tenant to with the login that runs as its owner.
 *
 * @throws {JobError} `remote-tenant` for a database of somebody else's, of which nobody says what in it is the tenant's
 */
export async function withDumpSource<T>(
  context: JobContext,
  tenant: TenantRecord,
  work: (server: TenantServer) => Promise<T>,
): Promise<T> {
  const { services, jobId } = context;
  if (tenant.placement_kind !== 'remote') {
    const isShared = tenant.placement_kind === 'shared';
    const roles = Object.values(tenantRoles(namingOf(tenant)));
    const login = { jobId, adminUrl: databaseOf(services, tenant).url, isShared, roles, seesAllRows: true };
    return withTenantLogin(login, (url) => work({ url }));
  }
  // Of one that was adopted nobody says which roles are its own.
  const server = tenant.role_prefix === null ? undefined : await ownerOf(services, tenant);
  if (server !== undefined) return work(server);
  throw new JobError(`The tenant '${tenant.id}' is remote: what is in its database is not all its own`, {
    code: 'remote-tenant',
    hint: 'Archives are made of tenants on this cluster, and of those that were moved from it',
  });
}
