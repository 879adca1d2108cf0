import { createHash } from 'node:crypto';
import type { ArchiveWriter } from '../archive/archive-writer.ts';
import { type Backends, isSelected, type QdrantPlace } from '../backends/backends.ts';
import { digestPoints } from '../backends/point-digest.ts';
import type { JobContext } from '../jobs/job.ts';
import type { CollectionContent, TenantContent } from './content.ts';
import { writeFiles } from './files.ts';
import { withQdrant } from './write-vectors.ts';

export interface ContentDigests {
  readonly files: NonNullable<TenantContent['files']>;
  readonly collections: readonly CollectionContent[];
}

const NO_FILES: ContentDigests['files'] = { count: 0, bytes: 0, digest: '0:0' };

/** What the manifest of an archive would say of a tenant's files and vectors. All of them are read; nothing is kept. */
export async function digestContents(
  context: JobContext,
  { tenantId, backends }: { readonly tenantId: string; readonly backends: Backends },
): Promise<ContentDigests> {
  const { files = NO_FILES } = await writeFiles(context, {
    tenantId,
    place: backends.storage,
    writer: HASHING,
  });
  const collections =
    backends.vectors === undefined ? [] : await digestCollections(context, backends.vectors);
  return { files, collections };
}

/** Reads what is to be written, and writes nothing. */
const HASHING: Pick<ArchiveWriter, 'add'> = {
  async add(name, content, meta) {
    const hash = createHash('sha256');
    let size = 0;
    for await (const piece of content) {
      hash.update(piece);
      size += piece.length;
    }
    const entry = { name, size, sha256: hash.digest('hex'), sealed: false, chunks: [] };
    return meta === undefined ? entry : { ...entry, meta };
  },
};

function digestCollections(context: JobContext, place: QdrantPlace): Promise<CollectionContent[]> {
  const { signal } = context;
  return withQdrant(context, place, async (client) => {
    const names = (await client.collections(signal)).filter((name) => isSelected(place.selection, name));
    const collections: CollectionContent[] = [];
    for (const name of names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
      const onPage = (points: number) => context.progress(1, `collection ${name}: ${points} points`);
      const { points, digest } = await digestPoints(client, name, { signal, onPage });
      collections.push({ name, points, digest });
    }
    return collections;
  });
}
