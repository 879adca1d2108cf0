import type pg from 'pg';
import { quoteLiteral } from '../../gateway/platform/sql.ts';
import type { ArchiveWriter } from '../archive/archive-writer.ts';
import { releasing } from '../archive/release.ts';
import type { TenantServer } from '../connections.ts';
import { publishedImages } from '../containers/published-images.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { metered, piecesOf } from '../jobs/job-streams.ts';
import { requirePostgresTools } from '../postgres-tools/find-tools.ts';
import { tenantRoles } from '../provision/tenant-names.ts';
import { namingOf, type TenantRecord } from '../tenants/tenant-record.ts';
import { DUMP_ENTRY, LARGE_OBJECT_PREFIX, type TenantContent } from './content.ts';
import { type Extension, ownedSchemas, serverMajor, usedExtensions } from './database-facts.ts';
import { withDumpSource } from './dump-source.ts';
import { listLargeObjects, readLargeObject } from './large-objects.ts';
import { runPgTool } from './run-pg-tool.ts';
import { DIGEST_SETTINGS, digestTables, type TableDigest } from './table-digests.ts';

export interface DatabaseContent extends Pick<TenantContent, 'schemas' | 'extensions' | 'tables'> {
  readonly postgres: Pick<TenantContent['postgres'], 'major' | 'dump_major'>;
}

/** Share of the step at which the dump ends; large objects take the rest. */
const DUMPED = 0.9;

/**
 * Writes a tenant's schemas, rows and large objects as they are at one moment: all of it is read in one snapshot.
 *
 * @param options.writer awaited only when the database has begun to answer
 */
export async function writeDatabase(
  context: JobContext,
  { tenant, writer: beginning }: { tenant: TenantRecord; writer: Promise<ArchiveWriter> },
): Promise<DatabaseContent> {
  const roles = tenantRoles(namingOf(tenant));
  const all = Object.values(roles);
  return withDumpSource(context, tenant, (server) =>
    context.connect(server, async (client) => {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      await client.query(DIGEST_SETTINGS);
      const snapshot = await exportSnapshot(client);
      const schemas = await ownedSchemas(client, roles.owner);
      if (schemas.length === 0) throw new JobError(`The tenant '${tenant.id}' has no schemas`);
      const major = await serverMajor(client);
      const tools = await requirePostgresTools(major);
      context.log(`pg_dump ${tools.major}, schemas ${schemas.join(', ')}`);
      const args = [
        '--format=custom',
        // The archive compresses.
        '--compress=0',
        '--encoding=UTF8',
        '--no-blobs',
        '--no-publications',
        '--no-subscriptions',
        '--no-security-labels',
        `--snapshot=${snapshot}`,
        ...schemas.map((schema) => `--schema=${patternFor(schema)}`),
      ];
      const dumpAndObjects = async () => {
        const writer = await runPgTool(
          context,
          { tools, program: 'pg_dump', args, server },
          async (output) => {
            const dumped = metered(context, piecesOf(output), { label: 'dumped', to: DUMPED });
            const writing = await beginning;
            await writing.add(DUMP_ENTRY, releasing(dumped));
            return writing;
          },
        );
        await writeLargeObjects(context, { client, writer, roles: all });
      };
      // Beside the dump, on the same snapshot: a server has more than one core.
      const [tables] = await allOrFirstFailure([
        digestsOf(context, { server, snapshot, schemas }),
        dumpAndObjects(),
      ]);
      const used = await usedExtensions(client, tenant.placement_kind === 'database' ? 'all' : schemas);
      const extensions = await withImages(context, used);
      await client.query('COMMIT');
      return { postgres: { major, dump_major: tools.major }, schemas, extensions, tables };
    }),
  );
}

async function digestsOf(
  context: JobContext,
  {
    server,
    snapshot,
    schemas,
  }: { readonly server: TenantServer; readonly snapshot: string; readonly schemas: readonly string[] },
): Promise<readonly TableDigest[]> {
  return context.connect(server, async (client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await client.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshot)}`);
    await client.query(DIGEST_SETTINGS);
    return digestTables(client, { schemas });
  });
}

/** Waits for all of them, so that none goes on when this has failed. */
async function allOrFirstFailure<A, B>(work: readonly [Promise<A>, Promise<B>]): Promise<readonly [A, B]> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

/** Says of each extension which image it came from, where a runner with an engine brought it. */
async function withImages(
  { services }: JobContext,
  extensions: readonly Extension[],
): Promise<readonly Extension[]> {
  const { phantom, shared } = services;
  if (phantom === undefined || extensions.length === 0) return extensions;
  const images = await publishedImages(shared, phantom.key);
  return extensions.map((extension) => {
    const image = images.get(extension.name);
    return image === undefined ? extension : { ...extension, image };
  });
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
    await context.progress(DUMPED + (1 - DUMPED) * (index / objects.length), `large object ${object.oid}`);
    await writer.add(`${LARGE_OBJECT_PREFIX}${object.oid}`, readLargeObject(client, object.oid), object);
  }
}
