import { readFile, rm, writeFile } from 'node:fs/promises';
import type { Backends } from '../backends/backends.ts';
import type { JobContext } from '../jobs/job.ts';
import { checkFileTarget, filesOf } from './files.ts';
import type { Leavable } from './leavable.ts';
import { dropLocalFiles, restoreLocalFiles } from './local-files.ts';
import { makeRoomFor, workDir } from './places.ts';
import { checkVectorTarget, removeCollections, restoreVectors } from './restore-vectors.ts';
import { putObjects, removeObjects } from './s3-files.ts';
import type { TenantArchive } from './tenant-archive.ts';
import { collectionsOf } from './vector-entry.ts';

/** What a job may have made beside the database; noted before it is made. */
export interface BegunContents {
  /** Files of the tenant, in its directory or store. */
  hasFiles: boolean;
  /** Collections on the vector server. */
  collections: string[];
}

export interface Contents {
  readonly tenantId: string;
  readonly archive: TenantArchive;
  readonly backends: Backends;
  readonly leaveOut: readonly Leavable[];
}

/** Looks whether files and vectors can go where they are to go; touches nothing. @throws {JobError} */
export async function checkContents(context: JobContext, contents: Contents): Promise<void> {
  const { tenantId, backends } = contents;
  const { files, vectors } = partsOf(contents);
  if (files !== undefined) {
    await checkFileTarget(context, { tenantId, place: backends.storage, files });
  }
  await checkVectorTarget(context, { place: backends.vectors, vectors });
}

function partsOf({ archive, leaveOut }: Contents) {
  const { file, content } = archive;
  const hasFiles = content.storage === 'included' && !leaveOut.includes('files');
  return {
    files: hasFiles ? filesOf(file) : undefined,
    vectors: leaveOut.includes('vectors') ? [] : collectionsOf(file, content),
  };
}

/**
 * Puts files and vectors where the new tenant has them: objects into its bucket below its prefix, or files into its local directory; collections under
 * the names they had. Running it again does it again.
 */
export async function restoreContents(
  context: JobContext,
  contents: Contents & { readonly begun: BegunContents },
): Promise<void> {
  const { tenantId, archive, backends, begun } = contents;
  const { files, vectors } = partsOf(contents);
  const { storage, vectors: server } = backends;
  if (files !== undefined) {
    // By an earlier run of this very job: nothing of the id was there when it was verified.
    if (begun.hasFiles && storage === undefined)
      await dropLocalFiles(context, { tenantId, isPublished: true });
    if (storage !== undefined) {
      await writeJournal(
        context,
        files.map(({ meta }) => meta.key),
      );
    }
    begun.hasFiles = true;
    await context.checkpoint();
    if (storage === undefined) await restoreLocalFiles(context, { tenantId, archive: archive.file, files });
    else await putObjects(context, { place: storage, archive: archive.file, files });
  }
  if (vectors.length === 0 || server === undefined) return;
  await restoreVectors(context, {
    place: server,
    archive: archive.file,
    vectors,
    begun: {
      get list() {
        return begun.collections;
      },
      async keep(list) {
        begun.collections = [...list];
        await context.checkpoint();
      },
    },
  });
}

/** Takes back what `restoreContents` has done, wholly or in part. */
export async function dropContents(
  context: JobContext,
  options: { readonly tenantId: string; readonly backends: Backends; readonly begun: BegunContents },
): Promise<void> {
  const { tenantId, backends, begun } = options;
  if (backends.storage === undefined) {
    await dropLocalFiles(context, { tenantId, isPublished: begun.hasFiles });
  } else if (begun.hasFiles) {
    await removeObjects(context, { place: backends.storage, keys: await readJournal(context) });
  }
  await removeCollections(context, { place: backends.vectors, names: begun.collections });
  await dropJournal(context);
}

/** Keys that this job puts into a store: what may be removed again, and nothing else. */
function journalPath({ services, jobId }: JobContext): string {
  return `${workDir(services.dataDir, jobId)}.keys.json`;
}

async function writeJournal(context: JobContext, keys: readonly string[]): Promise<void> {
  const path = journalPath(context);
  await makeRoomFor(path);
  await writeFile(path, JSON.stringify(keys), { mode: 0o600, flush: true });
}

async function readJournal(context: JobContext): Promise<readonly string[]> {
  const text = await readFile(journalPath(context), 'utf8').catch(() => '[]');
  const keys: unknown = JSON.parse(text);
  return Array.isArray(keys) ? keys.map(String) : [];
}

/** Once there is nothing left to be taken back. */
export async function dropJournal(context: JobContext): Promise<void> {
  await rm(journalPath(context), { force: true });
}
