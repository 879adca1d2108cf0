import { rm } from 'node:fs/promises';
import { type Backends, isSelected } from '../backends/backends.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { headersPath, storageDir } from './local-files.ts';
import { withStore } from './s3-files.ts';
import { withQdrant } from './write-vectors.ts';

/** Removes a tenant's directory of files. */
export async function deleteLocalFiles(dataDir: string, tenantId: string): Promise<void> {
  await rm(storageDir(dataDir, tenantId), { recursive: true, force: true });
  await rm(headersPath(dataDir, tenantId), { force: true });
}

/** Removes all objects below a tenant's prefix, and all its collections. Running it again removes the rest. */
export async function deleteBackendContents(
  services: AdminServices,
  { storage, vectors }: Backends,
  signal: AbortSignal,
): Promise<void> {
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
