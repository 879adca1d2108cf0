import type { ArchiveFile } from '../archive/archive-file.ts';
import { isSelected, type QdrantPlace } from '../backends/backends.ts';
import { canonicalJson } from '../backends/exact-json.ts';
import { digestPoints } from '../backends/point-digest.ts';
import type { QdrantClient } from '../backends/qdrant-client.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import type { VectorEntry } from './vector-entry.ts';
import { refuseCluster, withQdrant } from './write-vectors.ts';

/** Collections that may be this job's: noted before they are made. */
export interface BegunCollections {
  readonly list: readonly string[];
  keep(list: readonly string[]): Promise<void>;
}

/** Looks whether collections can go where they are to go. @throws {JobError} `no-vectors-backend`, `conflict`, `older-server`, `foreign-names` */
export async function checkVectorTarget(
  context: JobContext,
  { place, vectors }: { readonly place: QdrantPlace | undefined; readonly vectors: readonly VectorEntry[] },
): Promise<void> {
  if (vectors.length === 0) return;
  if (place === undefined) {
    throw new JobError(
      `The archive holds vectors (${vectors.length} collections), and there is no place for them`,
      {
        code: 'no-vectors-backend',
        hint: 'Name a Qdrant server in "backends": {"vectors": {"kind": "qdrant", "url": "…"}}, or leave them out with "leave_out": ["vectors"]',
      },
    );
  }
  const { signal } = context;
  await withQdrant(context, place, async (client) => {
    const version = await client.version(signal);
    await refuseCluster(client, signal);
    const taken = new Set([...(await client.collections(signal)), ...(await client.allAliases(signal))]);
    for (const { meta } of vectors) {
      if (isOlder(version, meta.server)) {
        throw new JobError(
          `The archive's vectors come from Qdrant ${meta.server}; the server here is ${version}`,
          {
            code: 'older-server',
          },
        );
      }
      if (!isSelected(place.selection, meta.collection)) {
        throw new JobError(
          `The collection '${meta.collection}' is not among those that "backends" gives the tenant`,
          {
            code: 'foreign-names',
            hint: 'Collections keep their names, which applications spell out: choose the prefix or the list accordingly',
          },
        );
      }
      const conflict = [meta.collection, ...meta.aliases].find((name) => taken.has(name));
      if (conflict !== undefined) {
        throw new JobError(
          `The archive cannot be hydrated: there is a collection or alias '${conflict}' already`,
          {
            code: 'conflict',
            hint: 'Name another Qdrant server in "backends"',
          },
        );
      }
    }
  });
}

/** Compares major and minor version. */
function isOlder(here: string, there: string): boolean {
  const [major = 0, minor = 0] = here.split('.').map(Number);
  const [otherMajor = 0, otherMinor = 0] = there.split('.').map(Number);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}

/** Makes the collections of an archive and compares what came of them. Running it again makes them anew. */
export async function restoreVectors(
  context: JobContext,
  options: {
    readonly place: QdrantPlace;
    readonly archive: ArchiveFile;
    readonly vectors: readonly VectorEntry[];
    readonly begun: BegunCollections;
  },
): Promise<void> {
  const { place, archive, vectors, begun } = options;
  const { signal } = context;
  await withQdrant(context, place, async (client) => {
    for (const { entry, meta, content } of vectors) {
      const { collection, aliases } = meta;
      if (begun.list.includes(collection)) await client.deleteCollection(collection, signal);
      else await begun.keep([...begun.list, collection]);
      await context.assertLease();
      const upload = { collection, size: entry.size, sha256: entry.sha256, content: archive.read(entry) };
      await client.upload(upload, signal);
      if (aliases.length > 0) await client.createAliases(collection, aliases, signal);
      await compare(context, client, { meta, content });
      context.log(`collection ${collection}: ${content.points} points`);
    }
  });
}

async function compare(
  context: JobContext,
  client: QdrantClient,
  { meta, content }: Pick<VectorEntry, 'meta' | 'content'>,
): Promise<void> {
  const { signal } = context;
  const { collection } = meta;
  const found = await digestPoints(client, collection, {
    signal,
    onPage: (points) => context.progress(1, `collection ${collection}: ${points} points compared`),
  });
  if (content.digest !== null && found.digest !== content.digest) {
    throw new JobError(
      `What was restored is not what the archive says: the collection '${collection}' differs`,
      {
        code: 'different-content',
        details: `${found.points} points, ${content.points} in the archive`,
      },
    );
  }
  // A newer server may tell settings that the older one had not.
  if (canonicalJson(await client.configuration(collection, signal)) !== meta.configuration) {
    context.log(`the settings of the collection ${collection} are told differently here`, 'warn');
  }
}

/** Removes the collections that `restoreVectors` may have made. */
export async function removeCollections(
  context: JobContext,
  { place, names }: { readonly place: QdrantPlace | undefined; readonly names: readonly string[] },
): Promise<void> {
  if (place === undefined || names.length === 0) return;
  await withQdrant(context, place, async (client) => {
    for (const name of names) await client.deleteCollection(name, context.signal);
  });
}
