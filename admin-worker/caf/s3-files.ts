import type { ArchiveFile } from '../archive/archive-file.ts';
import type { ArchiveWriter } from '../archive/archive-writer.ts';
import { releasing } from '../archive/release.ts';
import { reportBackendErrors } from '../backends/backend-error.ts';
import type { S3Place } from '../backends/backends.ts';
import { PART_BYTES, S3Store, type StoredObject } from '../backends/s3-store.ts';
import { aboutOf, type FileMeta } from '../backends/stored-object.ts';
import { limitConcurrency } from '../containers/limit-concurrency.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { STORAGE_PREFIX, type TenantContent } from './content.ts';
import { FileSum } from './file-sum.ts';

/** Objects that are asked for while another one is being written into the archive. */
const AHEAD = 4;
/** Objects on their way into the store at once. */
const PUTS = 4;
/** Those that go in parts: each holds one, and the two chunks of the archive that come next. */
const LARGE_PUTS = 2;

/** Opens a tenant's part of a bucket for `work`; answers of the store's that nothing mends end the job. */
export function withStore<T>(
  context: Pick<JobContext, 'services'>,
  place: S3Place,
  work: (store: S3Store) => Promise<T>,
): Promise<T> {
  return reportBackendErrors('storage', async () => {
    const store = await S3Store.open(place, context.services.networkPolicy);
    try {
      return await work(store);
    } finally {
      store.close();
    }
  });
}

/** Writes all objects below the tenant's prefix, in the order that the store lists them in. */
export function writeObjects(
  context: JobContext,
  { place, writer }: { readonly place: S3Place; readonly writer: Pick<ArchiveWriter, 'add'> },
): Promise<NonNullable<TenantContent['files']>> {
  return withStore(context, place, async (store) => {
    const sum = new FileSum();
    const isDue = everyHalfSecond();
    for await (const object of objectsOf(store, context)) {
      const { meta, size, body } = object;
      const entry = await writer.add(`${STORAGE_PREFIX}${sum.count}`, body, { ...meta });
      // The connection ended early, or the object is another one than the store said.
      if (entry.size !== size) throw new Error(`an object has ${entry.size} bytes instead of ${size}`);
      sum.add(entry, meta);
      if (isDue()) await context.progress(1, `file ${sum.count}`);
    }
    return sum.content;
  });
}

/** Objects one after the other, with the next few asked for already. */
async function* objectsOf(store: S3Store, context: JobContext): AsyncGenerator<StoredObject> {
  const { signal, log } = context;
  const asked: { readonly key: string; readonly object: Promise<StoredObject | undefined> }[] = [];
  const next = async () => {
    const { key, object } = asked.shift()!;
    const found = await object;
    if (found === undefined) log(`left out, since it was deleted meanwhile: ${key}`, 'warn');
    return found;
  };
  try {
    for await (const { key } of store.list(signal)) {
      const object = store.get(key, signal);
      // Heard where it is awaited.
      object.catch(() => undefined);
      asked.push({ key, object });
      if (asked.length <= AHEAD) continue;
      const found = await next();
      if (found !== undefined) yield found;
    }
    while (asked.length > 0) {
      const found = await next();
      if (found !== undefined) yield found;
    }
  } finally {
    for (const { object } of asked) {
      void object.then(
        (found) => found?.body.destroy(),
        () => undefined,
      );
    }
  }
}

export interface FileEntry {
  readonly entry: ArchiveFile['entries'][number];
  readonly meta: FileMeta;
}

/** Puts the files of an archive into a store. Running it again writes the same objects again. */
export function putObjects(
  context: JobContext,
  options: { readonly place: S3Place; readonly archive: ArchiveFile; readonly files: readonly FileEntry[] },
): Promise<void> {
  const { place, archive, files } = options;
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  return withStore(context, place, async (store) => {
    const inTurn = limitConcurrency(PUTS);
    const largeInTurn = limitConcurrency(LARGE_PUTS);
    const isDue = everyHalfSecond();
    let done = 0;
    const put = async ({ entry, meta }: FileEntry) => {
      signal.throwIfAborted();
      await context.assertLease();
      const content = releasing(archive.read(entry));
      await store.put({ key: meta.key, size: entry.size, about: aboutOf(meta), content }, signal);
      done++;
      if (isDue()) await context.progress(1, `file ${done} of ${files.length}`);
    };
    const puts = files.map((file) =>
      inTurn(() => (file.entry.size > PART_BYTES ? largeInTurn(() => put(file)) : put(file))).catch(
        (error: unknown) => {
          failed.abort(error);
          throw error;
        },
      ),
    );
    await Promise.allSettled(puts);
    await Promise.all(puts);
    await compareSizes(store, files, signal);
  });
}

/** What the store now lists has to be what was put. */
async function compareSizes(store: S3Store, files: readonly FileEntry[], signal: AbortSignal): Promise<void> {
  const expected = new Map(files.map(({ entry, meta }) => [meta.key, entry.size]));
  for await (const { key, size } of store.list(signal)) {
    if (expected.get(key) === size) expected.delete(key);
  }
  const [missing] = expected.keys();
  if (missing === undefined) return;
  throw new JobError(`The object store does not have what was put there: ${missing.slice(0, 200)}`, {
    code: 'different-content',
  });
}

/** Removes what `putObjects` has put, all of it, a part or nothing. */
export function removeObjects(
  context: JobContext,
  { place, keys }: { readonly place: S3Place; readonly keys: readonly string[] },
): Promise<void> {
  const { signal } = context;
  return withStore(context, place, async (store) => {
    await store.abortUploads(new Set(keys), signal);
    const inTurn = limitConcurrency(PUTS);
    await Promise.all(keys.map((key) => inTurn(() => store.remove(key, signal))));
  });
}

/** Whether it is time to tell how far things are: every progress is a row. */
function everyHalfSecond(): () => boolean {
  let toldAt = performance.now();
  return () => {
    if (performance.now() - toldAt < 500) return false;
    toldAt = performance.now();
    return true;
  };
}
