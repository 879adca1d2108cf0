import type { ArchiveFile } from '../archive/archive-file.ts';
import type { ArchiveWriter } from '../archive/archive-writer.ts';
import type { S3Place } from '../backends/backends.ts';
import { FileMeta } from '../backends/stored-object.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { STORAGE_PREFIX, type TenantContent } from './content.ts';
import { refuseTakenFiles, refuseUnplainKeys, writeLocalFiles } from './local-files.ts';
import { type FileEntry, withStore, writeObjects } from './s3-files.ts';

/** Writes a tenant's files, wherever they are; `writer` may be one that only hashes. */
export async function writeFiles(
  context: JobContext,
  options: {
    readonly tenantId: string;
    readonly place: S3Place | undefined;
    readonly writer: Pick<ArchiveWriter, 'add'>;
  },
): Promise<Pick<TenantContent, 'storage' | 'files'>> {
  const { tenantId, place, writer } = options;
  const files =
    place === undefined
      ? await writeLocalFiles(context, { tenantId, writer })
      : await writeObjects(context, { place, writer });
  if (files === undefined) return { storage: 'none' };
  context.log(`${files.count} files`);
  return { storage: 'included', files };
}

/** The files of an archive. @throws {JobError} for what is not described as a file, or has another one's key */
export function filesOf(archive: Pick<ArchiveFile, 'entries'>): readonly FileEntry[] {
  const keys = new Set<string>();
  const files: FileEntry[] = [];
  for (const entry of archive.entries) {
    if (!entry.name.startsWith(STORAGE_PREFIX)) continue;
    const { data: meta } = FileMeta.safeParse(entry.meta);
    if (meta === undefined || keys.has(meta.key) || meta.key.includes('\0')) {
      throw new JobError(`The archive is refused: the entry ${entry.name} has a key that no file can have`, {
        code: 'foreign-object',
      });
    }
    keys.add(meta.key);
    files.push({ entry, meta });
  }
  return files;
}

/** Looks whether files can go where they are to go. @throws {JobError} `conflict` when somebody's are there; `foreign-object` */
export async function checkFileTarget(
  context: JobContext,
  options: {
    readonly tenantId: string;
    readonly place: S3Place | undefined;
    readonly files: readonly FileEntry[];
  },
): Promise<void> {
  const { tenantId, place, files } = options;
  if (place === undefined) {
    refuseUnplainKeys(files);
    return refuseTakenFiles(context.services.dataDir, tenantId);
  }
  const isEmpty = await withStore(context, place, (store) => store.isEmpty(context.signal));
  if (isEmpty) return;
  throw new JobError('The archive cannot be hydrated: there are objects in the bucket below the prefix', {
    code: 'conflict',
    hint: 'Name an empty prefix in "backends"',
  });
}
