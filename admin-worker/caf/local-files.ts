import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, mkdir, readdir, rename, rm, utimes } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { ArchiveFile } from '../archive/archive-file.ts';
import type { ArchiveWriter } from '../archive/archive-writer.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { STORAGE_PREFIX } from './content.ts';

/** `meta` of a file: its path below the tenant's directory, with `/`, and when it was changed. */
const FileMeta = z.strictObject({
  key: z.string().min(1).max(1024),
  modified_at: z.iso.datetime(),
});

/** Where a tenant's files are. */
export function storageDir(dataDir: string, tenantId: string): string {
  return join(dataDir, 'storage', tenantId);
}

/**
 * Writes a tenant's files, by their keys in order. What is not a plain file (links, sockets) is left out and said in the log.
 *
 * @returns whether the tenant has a directory of files
 */
export async function writeFiles(
  context: JobContext,
  { tenantId, writer }: { readonly tenantId: string; readonly writer: ArchiveWriter },
): Promise<boolean> {
  const root = storageDir(context.services.dataDir, tenantId);
  if ((await lstat(root).catch(() => undefined))?.isDirectory() !== true) return false;
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const keys: string[] = [];
  for (const entry of entries) {
    if (entry.isDirectory()) continue;
    const key = join(entry.parentPath, entry.name)
      .slice(root.length + 1)
      .replaceAll(sep, '/');
    if (entry.isFile()) keys.push(key);
    else context.log(`left out, since it is not a plain file: ${key}`, 'warn');
  }
  for (const [index, key] of keys.toSorted().entries()) {
    const path = join(root, key);
    const { mtime } = await lstat(path);
    const content = createReadStream(path, { signal: context.signal });
    await writer.add(`${STORAGE_PREFIX}${index}`, content, { key, modified_at: mtime.toISOString() });
  }
  context.log(`${keys.length} files`);
  return true;
}

/**
 * Puts the files of an archive into a new directory, which appears when it is complete.
 *
 * @throws {JobError} when a key leads out of the directory, or the tenant has one already
 */
export async function restoreFiles(
  context: JobContext,
  { tenantId, archive }: { readonly tenantId: string; readonly archive: ArchiveFile },
): Promise<void> {
  const { dataDir } = context.services;
  const root = storageDir(dataDir, tenantId);
  const partial = partialDir(dataDir, context.jobId);
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o700 });
  for (const entry of archive.entries) {
    if (!entry.name.startsWith(STORAGE_PREFIX)) continue;
    const { data: meta } = FileMeta.safeParse(entry.meta);
    if (meta === undefined || !isPlainKey(meta.key)) {
      throw new JobError(`The archive is refused: the entry ${entry.name} has a key that leads elsewhere`, {
        code: 'foreign-object',
      });
    }
    const path = join(partial, meta.key);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // Two entries of one key: the second one fails here.
    await pipeline(archive.read(entry), createWriteStream(path, { flags: 'wx', mode: 0o600 }), {
      signal: context.signal,
    });
    const time = new Date(meta.modified_at);
    await utimes(path, time, time);
  }
  await context.assertLease();
  await rename(partial, root);
}

/** Takes back what `restoreFiles` has done, wholly or in part. @param isPublished whether the tenant's directory is this job's */
export async function dropFiles(
  { services, jobId }: JobContext,
  { tenantId, isPublished }: { readonly tenantId: string; readonly isPublished: boolean },
): Promise<void> {
  await rm(partialDir(services.dataDir, jobId), { recursive: true, force: true });
  if (isPublished) await rm(storageDir(services.dataDir, tenantId), { recursive: true, force: true });
}

/** Refuses a tenant id that files of somebody else lie under. @throws {JobError} `conflict` */
export async function refuseTakenFiles(dataDir: string, tenantId: string): Promise<void> {
  const entries = await readdir(storageDir(dataDir, tenantId)).catch(() => []);
  if (entries.length === 0) return;
  throw new JobError(`The archive cannot be hydrated: there are files of a tenant '${tenantId}' already`, {
    code: 'conflict',
    hint: 'Move DATA_DIR/storage/<tenant> away, or ask again with "as" for another id',
  });
}

function partialDir(dataDir: string, jobId: string): string {
  return join(dataDir, 'storage', `.hydrating-${jobId}`);
}

function isPlainKey(key: string): boolean {
  const hasOddCharacter = key.includes('\\') || key.includes('\0');
  return !hasOddCharacter && key.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}
