import type pg from 'pg';
import type { ArchiveWriter } from '../archive/archive-writer.ts';
import { type FillingSource, piecesOf } from '../archive/chunk-source.ts';
import { releasing } from '../archive/release.ts';
import { publishedImages } from '../containers/published-images.ts';
import type { JobContext } from '../jobs/job.ts';
import { metered, sourceOf } from '../jobs/job-streams.ts';
import { type PostgresTools, requirePostgresTools } from '../postgres-tools/find-tools.ts';
import type { TenantRecord } from '../tenants/tenant-record.ts';
import { DUMP_ENTRY, LARGE_OBJECT_PREFIX, type TenantContent } from './content.ts';
import { type Extension, serverMajor, usedExtensions } from './database-facts.ts';
import { type DumpSource, reading, schemasOf } from './dump-source.ts';
import { readLargeObject, tenantLargeObjects } from './large-objects.ts';
import { mapDump } from './map-dump.ts';
import { runPgTool } from './run-pg-tool.ts';
import { digestTables, type TableDigest } from './table-digests.ts';

export interface DatabaseContent extends Pick<TenantContent, 'schemas' | 'extensions' | 'tables'> {
  readonly postgres: Pick<TenantContent['postgres'], 'major' | 'dump_major'>;
}

/** Share of the step at which the dump ends; large objects take the rest. */
const DUMPED = 0.9;

/** Writes a tenant's schemas, rows and large objects as they are at one moment: all of it is read in one snapshot. */
export async function writeDatabase(
  context: JobContext,
  {
    tenant,
    source,
    writer,
  }: { readonly tenant: TenantRecord; readonly source: DumpSource; readonly writer: ArchiveWriter },
): Promise<DatabaseContent> {
  return reading(context, source, async (client) => {
    const snapshot = await exportSnapshot(client);
    const schemas = await schemasOf(client, tenant, source);
    const major = await serverMajor(client);
    const tools = await requirePostgresTools(major);
    context.log(`pg_dump ${tools.major}, schemas ${schemas.join(', ')}`);
    const args = [...dumpArguments(source, schemas), `--snapshot=${snapshot}`];
    const dumpAndObjects = async () => {
      const run = { tools, program: 'pg_dump', args, server: source.server } as const;
      await runPgTool(context, run, async (output) => {
        const dump = sourceOf(output);
        try {
          await writeDump(writer, metered(context, dump, { label: 'dumped', to: DUMPED }), source);
        } finally {
          dump.close();
        }
      });
      await writeLargeObjects(context, { source, client, snapshot, writer });
    };
    // Beside the dump, on the same snapshot: a server has more than one core.
    const [tables] = await allOrFirstFailure([
      digestsOf(context, { source, snapshot, schemas }),
      dumpAndObjects(),
    ]);
    const used = await usedExtensions(client, tenant.placement_kind === 'database' ? 'all' : schemas);
    const extensions = source.foreign === undefined ? await withImages(context, used) : used;
    await client.query('COMMIT');
    return { postgres: { major, dump_major: tools.major }, schemas, extensions, tables };
  });
}

/** Reads what is defined, and says what a hydration would say of it; nothing is kept. @throws {JobError} */
export async function tryDump(
  context: JobContext,
  { tenant, source }: { tenant: TenantRecord; source: DumpSource },
): Promise<{ major: number; tools: PostgresTools; schemas: readonly string[] }> {
  const [major, schemas] = await reading(
    context,
    source,
    async (client) => [await serverMajor(client), await schemasOf(client, tenant, source)] as const,
  );
  const tools = await requirePostgresTools(major);
  const { foreign } = source;
  if (foreign !== undefined) {
    const args = [...dumpArguments(source, schemas), '--schema-only'];
    const run = { tools, program: 'pg_dump', args, server: source.server } as const;
    await runPgTool(context, run, async (output) => {
      const dump = sourceOf(output);
      try {
        for await (const _ of mapDump(piecesOf(dump), foreign));
      } finally {
        dump.close();
      }
    });
  }
  return { major, tools, schemas };
}

function dumpArguments({ role }: DumpSource, schemas: readonly string[]): readonly string[] {
  return [
    '--format=custom',
    // The archive compresses.
    '--compress=0',
    '--encoding=UTF8',
    '--no-blobs',
    '--no-publications',
    '--no-subscriptions',
    '--no-security-labels',
    ...(role === undefined ? [] : [`--role=${role}`]),
    ...schemas.map((schema) => `--schema=${patternFor(schema)}`),
  ];
}

async function writeDump(writer: ArchiveWriter, dump: FillingSource, { foreign }: DumpSource): Promise<void> {
  if (foreign === undefined) await writer.addFilled(DUMP_ENTRY, dump);
  else await writer.add(DUMP_ENTRY, releasing(mapDump(piecesOf(dump), foreign)));
}

async function digestsOf(
  context: JobContext,
  {
    source,
    snapshot,
    schemas,
  }: { readonly source: DumpSource; readonly snapshot: string; readonly schemas: readonly string[] },
): Promise<readonly TableDigest[]> {
  return reading(context, { ...source, snapshot }, async (client) => {
    // They take less than the dump does, which wants the server's cores too.
    await client.query('SET LOCAL max_parallel_workers_per_gather = 0');
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
  {
    source,
    client,
    snapshot,
    writer,
  }: { source: DumpSource; client: pg.Client; snapshot: string; writer: ArchiveWriter },
): Promise<void> {
  const objects = await tenantLargeObjects(client, source.names);
  const write = async (reader: pg.Client) => {
    for (const [index, object] of objects.entries()) {
      await context.progress(DUMPED + (1 - DUMPED) * (index / objects.length), `large object ${object.oid}`);
      await writer.add(`${LARGE_OBJECT_PREFIX}${object.oid}`, readLargeObject(reader, object.oid), object);
    }
  };
  if (objects.length === 0) return;
  if (source.objects === undefined) await write(client);
  else await reading(context, { server: source.objects, role: undefined, snapshot }, write);
}
