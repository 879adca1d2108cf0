import type { PoolCache } from './execute/pool-cache.ts';
import { runReadOnly } from './execute/run-read-only.ts';
import type { Tenant } from './registry/tenant.ts';
import type { Topology } from './routing/topology.ts';
import { loadSchemaCache } from './schema-cache/load-schema-cache.ts';
import type { SchemaCache } from './schema-cache/schema-cache.ts';

// The login itself. The queries are ours, read the system catalogs alone, and run no tenant's code; and no role need exist yet.
const CATALOG_ROLE = 'none';
const CATALOG_TIMEOUT_MS = 30_000;
/** Makes what reads a tenant's catalog, on its primary: a replica may not have heard of the newest table yet. */
export function createSchemaLoader(options: {
  readonly pools: PoolCache;
  readonly topology: Topology;
}): (tenant: Tenant, signal: AbortSignal) => Promise<SchemaCache> {
  const { pools, topology } = options;
  return (tenant, signal) => {
    const { naming, settings } = tenant;
    const { primary } = topology.upstreamsOf(tenant);
    return loadSchemaCache(
      (statements) =>
        runReadOnly(pools, primary, statements, {
          role: CATALOG_ROLE,
          statementTimeoutMs: CATALOG_TIMEOUT_MS,
          signal,
        }),
      {
        naming,
        schemas: settings.dbSchemas,
        extraSearchPath: settings.dbExtraSearchPath,
        hoistedSettings: settings.dbHoistedTxSettings,
      },
    );
  };
}
