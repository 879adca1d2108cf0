import type pg from 'pg';
import type { ArchiveWriter } from '../archive/archive-writer.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { meter } from '../jobs/job-streams.ts';
import { databaseOf } from '../jobs/tenant-connection.ts';
import { tenantRoles } from '../provision/tenant-names.ts';
import { namingOf, type TenantRecord } from '../tenants/tenant-record.ts';
import { DUMP_ENTRY, LARGE_OBJECT_PREFIX, type TenantContent } from './content.ts';
import { ownedSchemas, serverMajor, usedExtensions } from './database-facts.ts';
import { listLargeObjects, readLargeObject } from './large-objects.ts';
import { findPgTools } from './pg-tools.ts';
import { runPgTool } from './run-pg-tool.ts';
import { DIGEST_SETTINGS, digestTables } from './table-digests.ts';
import { withTenantLogin } from './tenant-login.ts';

export interface DatabaseContent extends Pick<TenantContent, 'schemas' | 'extensions' | 'tables'> {
  readonly postgres: Pick<TenantContent['postgres'], 'major' | 'dump_major'>;
}

/** Shares of the step: where the dump and the large objects end; digests take the rest. */
const DUMPED = 0.6;
const OBJECTS_READ = 0.7;

/** Writes a tenant's schemas, rows and large objects as they are at one moment: all of it is read in one snapshot. */
export async function writeDatabase(
  context: JobContext,
  { tenant, writer }: { tenant: TenantRecord; writer: ArchiveWriter },
): Promise<DatabaseContent> {
  const { url: adminUrl } = databaseOf(context.services, tenant);
  const roles = tenantRoles(namingOf(tenant));
  const isShared = tenant.placement_kind === 'shared';
  const all = Object.values(roles);
  return withTenantLogin({ adminUrl, isShared, roles: all, seesAllRows: true }, (url) =>
    context.connect(url, async (client) => {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      await client.query(DIGEST_SETTINGS);
      const snapshot = await exportSnapshot(client);
      const schemas = await ownedSchemas(client, roles.owner);
      if (schemas.length === 0) throw new JobError(`The tenant '${tenant.id}' has no schemas`);
      const major = await serverMajor(client);
      const tools = await findPgTools(major);
      context.log(`pg_dump ${tools.major}, schemas ${schemas.join(', ')}`);
      const args = [
        '--format=custom',
        // The archive compresses.
        '--compress=0',
        '--no-blobs',
        '--no-publications',
        '--no-subscriptions',
        '--no-security-labels',
        `--snapshot=${snapshot}`,
        ...schemas.map((schema) => `--schema=${patternFor(schema)}`),
      ];
      await runPgTool(context, { tools, program: 'pg_dump', args, url }, (output) =>
        writer.add(DUMP_ENTRY, output.pipe(meter(context, { label: 'dumped', to: DUMPED }))),
      );
      await writeLargeObjects(context, { client, writer, roles: all });
      const tables = await digestTables(client, schemas, (share, name) =>
        context.progress(OBJECTS_READ + (1 - OBJECTS_READ) * share, name),
      );
      const extensions = await usedExtensions(client, isShared ? schemas : 'all');
      await client.query('COMMIT');
      return { postgres: { major, dump_major: tools.major }, schemas, extensions, tables };
    }),
  );
}

async function exportSnapshot(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
  return rows[0]!.id;
}

/** A pattern of pg_dump that means one name. */
function patternFor(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

async function writeLargeObjects(
  context: JobContext,
  { client, writer, roles }: { client: pg.Client; writer: ArchiveWriter; roles: readonly string[] },
): Promise<void> {
  const objects = await listLargeObjects(client, roles);
  for (const [index, object] of objects.entries()) {
    await context.progress(
      DUMPED + (OBJECTS_READ - DUMPED) * (index / objects.length),
      `large object ${object.oid}`,
    );
    await writer.add(`${LARGE_OBJECT_PREFIX}${object.oid}`, readLargeObject(client, object.oid), object);
  }
}
