import { type JobContext, JobError } from '../jobs/job.ts';
import { databaseOf } from '../jobs/tenant-connection.ts';
import { tenantRoles } from '../provision/tenant-names.ts';
import type { TenantRecord } from '../tenants/tenant-record.ts';
import { DIGEST_SETTINGS, digestTables } from './table-digests.ts';
import type { TenantArchive } from './tenant-archive.ts';
import { withTenantLogin } from './tenant-login.ts';

/** Share of the step that is behind when comparing begins. */
const RESTORED = 0.8;

/**
 * Compares row counts and digests of all tables with those of the archive.
 *
 * @returns number of tables
 * @throws {JobError} that names the tables that differ
 */
export async function compareDatabase(
  context: JobContext,
  { tenant, archive }: { tenant: TenantRecord; archive: TenantArchive },
): Promise<number> {
  const adminUrl = databaseOf(context.services, tenant).url;
  const roles = Object.values(tenantRoles(archive.naming));
  const isShared = tenant.placement_kind === 'shared';
  const { schemas, tables } = archive.content;
  const found = await withTenantLogin(
    { jobId: context.jobId, adminUrl, isShared, roles, seesAllRows: true },
    (url) =>
      context.connect(url, async (client) => {
        await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
        await client.query(DIGEST_SETTINGS);
        const method = archive.file.scanned.header.version;
        return digestTables(client, { schemas, method }, (share, name) =>
          context.progress(RESTORED + (1 - RESTORED) * share, name),
        );
      }),
  );
  const key = ({ schema, name }: { schema: string; name: string }) => JSON.stringify([schema, name]);
  const here = new Map(found.map((table) => [key(table), table]));
  const differing = tables.filter((table) => {
    const other = here.get(key(table));
    return other === undefined || other.rows !== table.rows || other.digest !== table.digest;
  });
  if (differing.length > 0 || found.length !== tables.length) {
    const names = differing.slice(0, 10).map(({ schema, name }) => `${schema}.${name}`);
    throw new JobError('What was restored is not what the archive says', {
      code: 'different-content',
      details:
        names.length === 0
          ? `${found.length} tables instead of ${tables.length}`
          : `Tables that differ: ${names.join(', ')}${differing.length > names.length ? ', …' : ''}`,
    });
  }
  return tables.length;
}
