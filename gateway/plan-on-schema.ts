import type { ApiRequest } from './api-request/api-request.ts';
import { GatewayError } from './errors/gateway-error.ts';
import type { ActionPlan } from './plan/action-plan.ts';
import { planAction } from './plan/plan-action.ts';
import type { Tenant } from './registry/tenant.ts';
import type { SchemaCache } from './schema-cache/schema-cache.ts';
import type { SchemaCacheStore } from './schema-cache/schema-cache-store.ts';

/** No relationship, function, column or relation of that name in the picture. */
const MISSES: ReadonlySet<string> = new Set(['PGRST200', 'PGRST202', 'PGRST204', 'PGRST205']);

/**
 * Plans on the tenant's picture. What a request misses in it may be newer than the picture: then the request waits for one
 * reading of the catalog and is planned again, so that a migration that has completed is seen at once.
 *
 * @throws {GatewayError} whatever `planAction` throws on the newest picture
 */
export async function planOnSchema(
  request: ApiRequest,
  cache: SchemaCache,
  context: { readonly tenant: Tenant; readonly schemaCaches: SchemaCacheStore; readonly signal: AbortSignal },
): Promise<{ readonly plan: ActionPlan; readonly cache: SchemaCache }> {
  const { tenant, schemaCaches, signal } = context;
  try {
    return { plan: planAction(request, cache, tenant.settings), cache };
  } catch (error) {
    if (!(error instanceof GatewayError) || !MISSES.has(error.code)) throw error;
    const newer = await schemaCaches.newerThan(cache, tenant, signal);
    if (newer === undefined) throw error;
    return { plan: planAction(request, newer, tenant.settings), cache: newer };
  }
}
