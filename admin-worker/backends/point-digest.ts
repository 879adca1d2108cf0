import { DigestSum } from './digest-sum.ts';
import { canonicalJson, memberOf } from './exact-json.ts';
import type { QdrantClient } from './qdrant-client.ts';

export interface PointDigest {
  readonly points: number;
  /** Of ids, payloads and vectors, as the server writes them, in whatever order. */
  readonly digest: string;
}

/** What a server sends of a point that is its content; the rest is about the answer. */
const PARTS = ['id', 'payload', 'vector', 'shard_key'] as const;

/** Reads all of a collection. A snapshot's own bytes tell nothing: those of two snapshots of one collection differ. */
export async function digestPoints(
  client: QdrantClient,
  collection: string,
  { signal, onPage }: { signal: AbortSignal; onPage?: (points: number) => Promise<void> },
): Promise<PointDigest> {
  const sum = new DigestSum();
  for await (const page of client.points(collection, signal)) {
    for (const point of page) {
      const parts = PARTS.map((name) => [name, memberOf(point, name)] as const);
      sum.add(canonicalJson(Object.fromEntries(parts)));
    }
    await onPage?.(sum.count);
  }
  return { points: sum.count, digest: sum.digest };
}
