import type { ArchiveWriter } from '../archive/archive-writer.ts';
import { reportBackendErrors } from '../backends/backend-error.ts';
import { isSelected, type QdrantPlace } from '../backends/backends.ts';
import { canonicalJson } from '../backends/exact-json.ts';
import { digestPoints, type PointDigest } from '../backends/point-digest.ts';
import { QdrantClient, type Snapshot } from '../backends/qdrant-client.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { type CollectionContent, type TenantContent, VECTORS_PREFIX } from './content.ts';
import type { VectorMeta } from './vector-entry.ts';

/** Snapshots on the vector server that this job has to delete again. */
export interface MadeSnapshots {
  readonly list: readonly { readonly collection: string; readonly name: string }[];
  keep(list: MadeSnapshots['list']): Promise<void>;
}

export interface VectorExport {
  readonly place: QdrantPlace | undefined;
  readonly writer: ArchiveWriter;
  readonly snapshots: MadeSnapshots;
}

/** Snapshots of a collection that changes are made again this often. */
const ATTEMPTS = 3;

/** Opens a tenant's vector server for `work`; answers of the server's that nothing mends end the job. */
export function withQdrant<T>(
  context: Pick<JobContext, 'services'>,
  place: QdrantPlace,
  work: (client: QdrantClient) => Promise<T>,
): Promise<T> {
  return reportBackendErrors('vectors', async () => {
    const client = await QdrantClient.open(place, context.services.networkPolicy);
    try {
      return await work(client);
    } finally {
      await client.close();
    }
  });
}

/** Writes the tenant's collections, by their names in order, each as a snapshot of the server's. */
export async function writeVectors(
  context: JobContext,
  { place, writer, snapshots }: VectorExport,
): Promise<Pick<TenantContent, 'vectors' | 'collections'>> {
  if (place === undefined) return { vectors: 'none', collections: [] };
  return withQdrant(context, place, async (client) => {
    await dropSnapshots(context, client, snapshots);
    const { signal } = context;
    const server = await client.version(signal);
    await refuseCluster(client, signal);
    const names = (await client.collections(signal)).filter((name) => isSelected(place.selection, name));
    const collections: CollectionContent[] = [];
    for (const name of names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
      const entryName = `${VECTORS_PREFIX}${collections.length}`;
      const content = await writeCollection(context, client, { name, entryName, server, writer, snapshots });
      context.log(`collection ${name}: ${content.points} points`);
      collections.push(content);
    }
    return { vectors: 'included', collections };
  });
}

/** A snapshot holds what one server has of a collection. @throws {JobError} */
export async function refuseCluster(client: QdrantClient, signal: AbortSignal): Promise<void> {
  const peers = await client.peers(signal);
  if (peers === 1) return;
  throw new JobError(`The vector server is one of a cluster of ${peers}; a snapshot would hold a part only`, {
    code: 'vectors',
    hint: 'Collections of single servers can be exported and hydrated',
  });
}

async function writeCollection(
  context: JobContext,
  client: QdrantClient,
  options: {
    readonly name: string;
    readonly entryName: string;
    readonly server: string;
    readonly writer: ArchiveWriter;
    readonly snapshots: MadeSnapshots;
  },
): Promise<CollectionContent> {
  const { name, entryName, server, writer, snapshots } = options;
  const { signal } = context;
  const { snapshot, digest, points } = await stillSnapshot(context, client, { name, snapshots });
  const meta: VectorMeta = {
    collection: name,
    server,
    aliases: [...(await client.aliases(name, signal))],
    configuration: canonicalJson(await client.configuration(name, signal)),
  };
  const body = await client.download(name, snapshot.name, signal);
  const entry = await writer.add(entryName, body, { ...meta });
  const isWhole = snapshot.sha256 === undefined || snapshot.sha256 === entry.sha256;
  if (!isWhole || (snapshot.size !== undefined && snapshot.size !== entry.size)) {
    throw new Error(`the snapshot of the collection '${name}' did not arrive as it was made`);
  }
  await dropSnapshots(context, client, snapshots);
  return { name, points, digest };
}

/**
 * Makes a snapshot while the collection stays as it is: its content before and after has to be the same, else it would not be known what is in the snapshot. One that
 * keeps changing is taken all the same, without a digest.
 */
async function stillSnapshot(
  context: JobContext,
  client: QdrantClient,
  { name, snapshots }: { readonly name: string; readonly snapshots: MadeSnapshots },
): Promise<{ snapshot: Snapshot; digest: string | null; points: number }> {
  const { signal } = context;
  const read = () =>
    digestPoints(client, name, {
      signal,
      onPage: (points) => context.progress(1, `collection ${name}: ${points} points`),
    });
  let before: PointDigest = await read();
  for (let attempt = 1; ; attempt++) {
    const snapshot = await client.createSnapshot(name, signal);
    await snapshots.keep([...snapshots.list, { collection: name, name: snapshot.name }]);
    const after = await read();
    if (after.digest === before.digest) return { snapshot, digest: after.digest, points: after.points };
    if (attempt === ATTEMPTS) {
      context.log(`the collection ${name} is being written to: it goes without a digest`, 'warn');
      return { snapshot, digest: null, points: after.points };
    }
    await dropSnapshots(context, client, snapshots);
    before = after;
  }
}

/** Deletes what this job, or an earlier run of it, has made on the server. */
async function dropSnapshots(
  { signal }: JobContext,
  client: QdrantClient,
  snapshots: MadeSnapshots,
): Promise<void> {
  if (snapshots.list.length === 0) return;
  for (const { collection, name } of snapshots.list) await client.deleteSnapshot(collection, name, signal);
  await snapshots.keep([]);
}

/** For undoing an export. */
export async function undoSnapshots(
  context: JobContext,
  { place, snapshots }: Pick<VectorExport, 'place' | 'snapshots'>,
): Promise<void> {
  if (place === undefined || snapshots.list.length === 0) return;
  await withQdrant(context, place, (client) => dropSnapshots(context, client, snapshots));
}
