import type { ClientBase } from 'pg';
import type { JobContext } from '../jobs/job.ts';
import { databaseOf } from '../jobs/tenant-connection.ts';
import { deferredCode } from '../provision/deferred-code.ts';
import { foreignRoles } from '../provision/portable-grants.ts';
import { tenantRoles } from '../provision/tenant-names.ts';
import type { TenantRecord } from '../tenants/tenant-record.ts';
import { LARGE_OBJECT_PREFIX } from './content.ts';
import { refused } from './refused.ts';
import type { TenantArchive } from './tenant-archive.ts';

/**
 * Looks at what is in the catalog after a restore, whatever way it came there: code of the tenant's may have run while rows came in. Nothing may name a role of somebody else, and
 * a sealed tenant may have nothing that runs at COMMIT.
 *
 * @throws {JobError} that names the first object that is not as it has to be
 */
export async function judgeRestored(
  context: JobContext,
  { tenant, archive }: { readonly tenant: TenantRecord; readonly archive: TenantArchive },
): Promise<void> {
  const roles = tenantRoles(archive.naming);
  await context.connect(databaseOf(context.services, tenant), async (admin) => {
    // A superuser's session: names must not be looked up among the tenant's.
    await admin.query('BEGIN READ ONLY; SET LOCAL search_path = pg_catalog, pg_temp');
    const [foreign] = await foreignRoles(admin, { roles, schemas: archive.content.schemas });
    if (foreign !== undefined) throw refused('foreign-role', foreign);
    await refuseStrayObjects(admin, { archive, roles: Object.values(roles) });
    if (tenant.placement_kind !== 'shared' || tenant.isolation !== 'sealed') return;
    const [deferred] = await deferredCode(admin, roles.owner);
    if (deferred === undefined) return;
    throw refused(
      'deferred-code',
      `${deferred} would run at COMMIT, which a sealed tenant's may not`,
      'Export it again without deferrable triggers and exclusion constraints',
    );
  });
}

/** What an owner can make outside of its schemas: large objects, and settings of its roles. */
async function refuseStrayObjects(
  admin: ClientBase,
  { archive, roles }: { readonly archive: TenantArchive; readonly roles: readonly string[] },
): Promise<void> {
  const { rows } = await admin.query<{ objects: number; settings: number }>(
    `SELECT
       (SELECT count(*)::int FROM pg_largeobject_metadata l JOIN pg_roles r ON r.oid = l.lomowner WHERE r.rolname = ANY ($1::text[])) AS objects,
       (SELECT count(*)::int FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE r.rolname = ANY ($1::text[])) AS settings`,
    [roles],
  );
  const expected = archive.file.entries.filter(({ name }) => name.startsWith(LARGE_OBJECT_PREFIX)).length;
  const found = rows[0]!;
  if (found.objects !== expected) {
    throw refused('foreign-object', `${found.objects} large objects came out of ${expected}`);
  }
  if (found.settings > 0) throw refused('foreign-role', 'it changed the settings of a role');
}
