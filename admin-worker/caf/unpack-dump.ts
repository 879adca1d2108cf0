import { mkdir, open, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { releasing } from '../archive/release.ts';
import type { JobContext } from '../jobs/job.ts';
import { tenantRoles } from '../provision/tenant-names.ts';
import { DUMP_ENTRY } from './content.ts';
import { DumpTocReader } from './dump-toc.ts';
import { type DumpOwner, judgeEntry } from './judge-dump.ts';
import { workDir } from './places.ts';
import { refused } from './refused.ts';
import type { TenantArchive } from './tenant-archive.ts';

/** A dump on the disk of the runner, all of whose statements were looked at. */
export interface UnpackedDump {
  readonly dump: string;
  /** For `--use-list`: the entries that are to be restored. */
  readonly list: string;
}

/**
 * Reads the dump of an archive to its end: its bytes have to be what the manifest says, and its statements a tenant's. With `isKept` it is on disk afterwards.
 *
 * @throws {JobError} that says why it is refused
 * @throws {ArchiveError}
 */
export async function unpackDump(
  context: Pick<JobContext, 'services' | 'jobId' | 'signal'>,
  {
    archive,
    isKept,
    onBytes,
  }: {
    readonly archive: TenantArchive;
    readonly isKept: boolean;
    onBytes(count: number): Promise<void>;
  },
): Promise<void> {
  const { services, jobId, signal } = context;
  const directory = workDir(services.dataDir, jobId);
  const { dump, list } = placesIn(directory);
  const owner: DumpOwner = {
    schemas: archive.content.schemas,
    roles: tenantRoles(archive.naming),
  };
  const ids: number[] = [];
  const toc = new DumpTocReader();
  await rm(directory, { recursive: true, force: true });
  if (isKept) await mkdir(directory, { recursive: true, mode: 0o700 });
  const target = isKept ? await open(dump, 'w', 0o600) : undefined;
  try {
    for await (const piece of releasing(archive.file.read(archive.file.entry(DUMP_ENTRY)))) {
      signal.throwIfAborted();
      for (const entry of toc.push(piece)) if (judgeEntry(entry, owner)) ids.push(entry.id);
      await onBytes(piece.length);
      await target?.writeFile(piece);
    }
    if (!toc.isComplete) throw refused('not-a-dump', 'its dump ends within its table of contents');
  } finally {
    await target?.close();
  }
  // Last: where the list is, the dump is whole.
  if (isKept) await writeFile(list, ids.map((id) => `${id}\n`).join(''), { mode: 0o600 });
}

/** What `unpackDump` has kept; unpacked again where it is gone. */
export async function unpackedDump(
  context: Pick<JobContext, 'services' | 'jobId' | 'signal'>,
  archive: TenantArchive,
): Promise<UnpackedDump> {
  const places = placesIn(workDir(context.services.dataDir, context.jobId));
  const [dump, list] = await Promise.all(
    [places.dump, places.list].map((path) => stat(path).catch(() => undefined)),
  );
  if (list === undefined || dump?.size !== archive.file.entry(DUMP_ENTRY).size) {
    await unpackDump(context, { archive, isKept: true, onBytes: async () => undefined });
  }
  return places;
}

function placesIn(directory: string): UnpackedDump {
  return { dump: join(directory, 'dump'), list: join(directory, 'list') };
}
