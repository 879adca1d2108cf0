import type { ClientBase, Pool } from 'pg';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { VOLUME_TARGET } from './container-engine.ts';
import { ManifestError, parseManifest } from './manifest.ts';

/**
 * Which image (`repository@sha256:…`) the files of extensions were brought from, by what the linker acts on. An extension that the server
 * has by itself is not in it.
 *
 * @param db superuser connection to the server
 * @param key signs manifests; what it did not sign is left out
 */
export async function publishedImages(
  db: Pick<ClientBase | Pool, 'query'>,
  key: Secret,
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await db.query<{ text: string | null }>(MANIFESTS, [`${VOLUME_TARGET}/manifests`]);
  const images = new Map<string, string>();
  for (const { text } of rows) {
    try {
      const { extensions, image } = parseManifest(text ?? '', key);
      for (const name of extensions) images.set(name, image);
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error;
    }
  }
  return images;
}

/** $1: folder of manifests */
const MANIFESTS = `
  SELECT pg_read_file($1 || '/' || f.name, 0, 4000000, true) AS text
  FROM pg_ls_dir($1, true, false) AS f(name) WHERE f.name ~ '^[a-z][a-z0-9_-]*[.]manifest$' ORDER BY f.name`;
