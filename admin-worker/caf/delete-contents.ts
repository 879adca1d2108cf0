import { rm } from 'node:fs/promises';
import { type Backends, isSelected } from '../backends/backends.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { headersPath, storageDir } from './local-files.ts';
import { withStore } from './s3-files.ts';
import { withQdrant } from './write-vectors.ts';

/** Removes all of a tenant's files, in `DATA_DIR` and below its prefix, and all its collections. Running it again removes the rest. */
export async function deleteContents(
  services: AdminServices,
  options: { readonly tenantId: string; readonly backends: Backends; readonly signal: AbortSignal },
): Promise<void> {
  const { tenantId, backends, signal } = options;
  const { storage, vectors } = backends;
  await rm(storageDir(services.dataDir, tenantId), { recursive: true, force: true });
  await rm(headersPath(services.dataDir, tenantId), { force: true });
  if (storage !== undefined) {
    await withStore({ services }, storage, async (store) => {
      for await (const { key } of store.list(signal)) await store.remove(key, signal);
    });
  }
  if (vectors === undefined) return;
  await withQdrant({ services }, vectors, async (client) => {
    for (const name of await client.collections(signal)) {
      if (isSelected(vectors.selection, name)) await client.deleteCollection(name, signal);
    }
  });
}
