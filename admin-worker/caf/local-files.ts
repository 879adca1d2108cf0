import { lstat, mkdir, open, readdir, rename, rm, utimes } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import type { ArchiveFile } from '../archive/archive-file.ts';
import type { ArchiveWriter } from '../archive/archive-writer.ts';
import { piecesOfFile, writePieces } from '../archive/file-pieces.ts';
import { aboutOf, FileMeta } from '../backends/stored-object.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { STORAGE_PREFIX, type TenantContent } from './content.ts';
import { FileSum } from './file-sum.ts';
import type { FileEntry } from './s3-files.ts';

/** Where a tenant's files are. */
export function storageDir(dataDir: string, tenantId: string): string {
  return join(dataDir, 'storage', tenantId);
}

/**
 * Headers that files had in an object store, which no file system keeps: one JSON a line, as `meta` of the entry was. It holds for files that have
 * not changed since.
 */
export function headersPath(dataDir: string, tenantId: string): string {
  return join(dataDir, 'storage', `${tenantId}.headers.jsonl`);
}

/**
 * Writes a tenant's files, in the order of their keys' bytes. What is not a plain file (links, sockets) is left out and said in the log.
 *
 * @returns `undefined` when the tenant has no directory of files
 */
export async function writeLocalFiles(
  context: JobContext,
  { tenantId, writer }: { readonly tenantId: string; readonly writer: Pick<ArchiveWriter, 'add'> },
): Promise<TenantContent['files']> {
  const { dataDir } = context.services;
  const root = storageDir(dataDir, tenantId);
  if ((await lstat(root).catch(() => undefined))?.isDirectory() !== true) return undefined;
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
  const headers = await readHeaders(headersPath(dataDir, tenantId));
  const sum = new FileSum();
  for (const key of keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    const path = join(root, key);
    const modified_at = (await lstat(path)).mtime.toISOString();
    const known = headers.get(key);
    const meta = {
      key,
      modified_at,
      ...(known?.modified_at === modified_at ? aboutOf(known) : {}),
    };
    const file = await open(path, 'r');
    try {
      const content = piecesOfFile(file, context.signal);
      sum.add(await writer.add(`${STORAGE_PREFIX}${sum.count}`, content, meta), meta);
    } finally {
      await file.close();
    }
  }
  return sum.content;
}

async function readHeaders(path: string): Promise<ReadonlyMap<string, FileMeta>> {
  const known = new Map<string, FileMeta>();
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return known;
  for await (const line of file.readLines()) {
    const meta = FileMeta.parse(JSON.parse(line));
    known.set(meta.key, meta);
  }
  return known;
}

/** Refuses what a directory cannot hold. @throws {JobError} `foreign-object` */
export function refuseUnplainKeys(files: readonly FileEntry[]): void {
  const directories = new Set<string>();
  for (const { entry, meta } of files) {
    if (!isPlainKey(meta.key)) {
      throw new JobError(`The archive is refused: the entry ${entry.name} has a key that leads elsewhere`, {
        code: 'foreign-object',
        hint: 'Only an object store holds such keys: name one in "backends"',
      });
    }
    for (let at = meta.key.indexOf('/'); at !== -1; at = meta.key.indexOf('/', at + 1)) {
      directories.add(meta.key.slice(0, at));
    }
  }
  const both = files.find(({ meta }) => directories.has(meta.key));
  if (both === undefined) return;
  throw new JobError(
    `The archive is refused: ${both.meta.key.slice(0, 200)} is a file, and others lie below it`,
    {
      code: 'foreign-object',
      hint: 'Only an object store holds such keys: name one in "backends"',
    },
  );
}

/**
 * Puts the files of an archive into a new directory, which appears when it is complete.
 *
 * @throws {JobError} when the tenant has one already
 */
export async function restoreLocalFiles(
  context: JobContext,
  options: {
    readonly tenantId: string;
    readonly archive: ArchiveFile;
    readonly files: readonly FileEntry[];
  },
): Promise<void> {
  const { tenantId, archive, files } = options;
  const { dataDir } = context.services;
  const partial = partialDir(dataDir, context.jobId);
  refuseUnplainKeys(files);
  await dropPartial(dataDir, context.jobId);
  await mkdir(partial, { recursive: true, mode: 0o700 });
  const headers = await open(`${partial}.headers.jsonl`, 'wx', 0o600);
  let hasHeaders = false;
  try {
    for (const { entry, meta } of files) {
      const path = join(partial, meta.key);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const file = await open(path, 'wx', 0o600);
      try {
        await writePieces(file, archive.read(entry), context.signal);
      } finally {
        await file.close();
      }
      const time = new Date(meta.modified_at);
      await utimes(path, time, time);
      if (Object.keys(aboutOf(meta)).length === 0) continue;
      hasHeaders = true;
      await headers.write(`${JSON.stringify(meta)}\n`);
    }
  } finally {
    await headers.close();
  }
  await context.assertLease();
  // First: without the directory it means nothing.
  if (hasHeaders) await rename(`${partial}.headers.jsonl`, headersPath(dataDir, tenantId));
  else await rm(headersPath(dataDir, tenantId), { force: true });
  await rename(partial, storageDir(dataDir, tenantId));
  await dropPartial(dataDir, context.jobId);
}

/** Takes back what `restoreLocalFiles` has done, wholly or in part. @param isPublished whether the tenant's directory is this job's */
export async function dropLocalFiles(
  { services, jobId }: JobContext,
  { tenantId, isPublished }: { readonly tenantId: string; readonly isPublished: boolean },
): Promise<void> {
  const { dataDir } = services;
  await dropPartial(dataDir, jobId);
  if (!isPublished) return;
  await rm(storageDir(dataDir, tenantId), { recursive: true, force: true });
  await rm(headersPath(dataDir, tenantId), { force: true });
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

async function dropPartial(dataDir: string, jobId: string): Promise<void> {
  const partial = partialDir(dataDir, jobId);
  await rm(partial, { recursive: true, force: true });
  await rm(`${partial}.headers.jsonl`, { force: true });
}

function isPlainKey(key: string): boolean {
  const hasOddCharacter = key.includes('\\') || key.includes('\0');
  return !hasOddCharacter && key.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}
