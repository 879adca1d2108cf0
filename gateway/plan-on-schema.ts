import type { Action, ApiRequest } from './api-request/api-request.ts';
import type { Authenticated } from './authenticate-on-schema.ts';
import { GatewayError } from './errors/gateway-error.ts';
import type { DatabasePlan, DescribePlan } from './plan/action-plan.ts';
import { planAction } from './plan/plan-action.ts';
import { buildMainQuery } from './query/build-main-query.ts';
import type { PlannedQuery, QueryTemplates } from './query/query-templates.ts';
import type { Tenant } from './registry/tenant.ts';
import type { SchemaCache } from './schema-cache/schema-cache.ts';
import type { SchemaCacheStore } from './schema-cache/schema-cache-store.ts';

/** No relationship, function, column, relation or type of that name in the picture. */
const MISSES: ReadonlySet<string> = new Set([
  ...['PGRST200', 'PGRST202', 'PGRST204', 'PGRST205'],
  ...['42703', '42704'],
]);

/** A plan with its statements, or one that needs no database. */
export type PlannedOnSchema = (PlannedQuery | { readonly plan: DescribePlan; readonly query: undefined }) & {
  readonly cache: SchemaCache;
  /** With the settings of that picture. */
  readonly tenant: Tenant;
};

/**
 * The stages `planAction` and `buildMainQuery`, on the tenant's picture. What a request misses in it may be newer than the picture: then the request waits for one
 * reading of the catalog and is planned again, so that a migration that has completed is seen at once.
 *
 * @throws {GatewayError} whatever `planAction` throws on the newest picture
 */
export function planOnSchema(
  request: ApiRequest,
  context: PlanningContext,
): PlannedOnSchema | Promise<PlannedOnSchema> {
  try {
    return planOn(request, context.known.picture, context);
  } catch (error) {
    if (!(error instanceof GatewayError) || !MISSES.has(error.code)) throw error;
    return planOnNewer(request, { ...context, error });
  }
}

interface PlanningContext {
  readonly known: Pick<Authenticated, 'registered' | 'tenant' | 'picture'>;
  readonly services: { readonly schemaCaches: SchemaCacheStore; readonly templates: QueryTemplates };
  readonly http: { readonly signal: AbortSignal };
}

async function planOnNewer(
  request: ApiRequest,
  context: PlanningContext & { readonly error: GatewayError },
): Promise<PlannedOnSchema> {
  const { known, services, http, error } = context;
  const newer = await services.schemaCaches.newerThan(known.picture, known.registered, http.signal);
  if (newer === undefined) throw error;
  return planOn(request, newer, context);
}

function planOn(
  request: ApiRequest,
  cache: SchemaCache,
  { known, services }: PlanningContext,
): PlannedOnSchema {
  const tenant =
    cache === known.picture ? known.tenant : services.schemaCaches.withSettings(known.registered, cache);
  if (isDescription(request.action)) {
    const plan = planAction(request, cache, tenant.settings) as DescribePlan;
    return { plan, query: undefined, cache, tenant };
  }
  const { plan, query } = services.templates.prepare(request, { tenant, cache }, (asked) => {
    const planned = planAction(asked, cache, tenant.settings) as DatabasePlan;
    return { plan: planned, query: buildMainQuery(planned, asked, tenant) };
  });
  return { plan, query, cache, tenant };
}

/** OPTIONS: answered from the picture alone. */
function isDescription(action: Action): boolean {
  return (
    action.kind === 'options-root' || action.kind === 'options-relation' || action.kind === 'options-routine'
  );
}
