import type { ClientBase } from 'pg';
import { z } from 'zod';
import { AdminError, type InputProblem } from '../api/admin-error.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { backendReason } from './backend-error.ts';
import { StoredBackends } from './backend-input.ts';
import { type Backends, isSelected, placesOf, type QdrantPlace, type S3Place } from './backends.ts';
import { QdrantClient } from './qdrant-client.ts';
import { S3Store } from './s3-store.ts';

const CHECK_TIMEOUT_MS = 10_000;

/**
 * Asks each backend for what an export begins with.
 *
 * @throws {AdminError} `unreachable` when one does not answer, refuses, or is in the platform's own networks
 */
export async function tryBackends(
  { networkPolicy }: Pick<AdminServices, 'networkPolicy'>,
  { storage, vectors }: Backends,
): Promise<void> {
  const signal = AbortSignal.timeout(CHECK_TIMEOUT_MS);
  const problems = await Promise.all([
    problemOf('backends.storage', storage, async (place) => {
      const store = await S3Store.open(place, networkPolicy);
      try {
        await store.isEmpty(signal);
      } finally {
        store.close();
      }
    }),
    problemOf('backends.vectors', vectors, async (place) => {
      const client = await QdrantClient.open(place, networkPolicy);
      try {
        await client.version(signal);
        await client.collections(signal);
      } finally {
        await client.close();
      }
    }),
  ]);
  const details = problems.filter((problem) => problem !== undefined);
  if (details.length > 0) {
    throw new AdminError('unreachable', `The backend cannot be used: ${details[0]!.message}`, { details });
  }
}

async function problemOf<T>(
  path: string,
  place: T | undefined,
  attempt: (place: T) => Promise<void>,
): Promise<InputProblem | undefined> {
  if (place === undefined) return undefined;
  try {
    await attempt(place);
    return undefined;
  } catch (error) {
    return { path, message: backendReason(error) };
  }
}

/**
 * Refuses places that overlap with another tenant's: its files and vectors would be exported, and taken back, with this one's.
 *
 * @param client in the transaction that keeps the places
 * @throws {AdminError} `conflict`
 */
export async function refuseTakenPlaces(
  client: ClientBase,
  { tenantId, backends }: { readonly tenantId: string; readonly backends: Backends },
): Promise<void> {
  const { storage, vectors } = backends;
  if (storage === undefined && vectors === undefined) return;
  await client.query('SELECT pg_advisory_xact_lock($1)', [PLACES_LOCK]);
  const { rows } = await client.query(
    `SELECT id, backends FROM control.tenants
     WHERE id <> $1 AND (backends #>> '{storage,bucket}' = $2 OR backends #>> '{vectors,url}' = $3)`,
    [tenantId, storage?.bucket ?? null, vectors?.url ?? null],
  );
  for (const { id, backends: stored } of z.array(Taken).parse(rows)) {
    const other = placesOf(stored);
    if (storage !== undefined && other.storage !== undefined && doStoresOverlap(storage, other.storage)) {
      throw taken('backends.storage', `The bucket and prefix overlap with those of the tenant '${id}'`);
    }
    if (vectors !== undefined && other.vectors !== undefined && doVectorsOverlap(vectors, other.vectors)) {
      throw taken('backends.vectors', `The collections overlap with those of the tenant '${id}'`);
    }
  }
}

/** Keeps two requests apart that would take overlapping places. */
const PLACES_LOCK = 7_305_891_264_403;

const Taken = z.object({ id: z.string(), backends: StoredBackends });

function taken(path: string, message: string): AdminError {
  return new AdminError('conflict', message, { details: [{ path, message: 'is taken' }] });
}

/** Buckets are compared by name and server; Amazon's have many servers. */
function doStoresOverlap(a: S3Place, b: S3Place): boolean {
  const server = ({ endpoint }: S3Place) =>
    endpoint === undefined || /\.amazonaws\.com$/.test(new URL(endpoint).hostname) ? 'amazon' : endpoint;
  if (a.bucket !== b.bucket || server(a) !== server(b)) return false;
  return a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix);
}

function doVectorsOverlap(
  { url, selection: a }: QdrantPlace,
  { url: otherUrl, selection: b }: QdrantPlace,
): boolean {
  if (url !== otherUrl) return false;
  if (a.kind === 'list') return a.names.some((name) => isSelected(b, name));
  if (b.kind === 'list') return b.names.some((name) => isSelected(a, name));
  return a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix);
}
