import { parseApiRequest } from './api-request/parse-api-request.ts';
import { takeQueryApiKey } from './auth/credentials.ts';
import type { ResultSet } from './execute/result-set.ts';
import type { HttpRequest } from './http/http-request.ts';
import type { RequestTrace } from './http/request-trace.ts';
import { gatewayHeaders } from './http/response-headers.ts';
import type { ActionPlan, DatabasePlan } from './plan/action-plan.ts';
import { planOnSchema } from './plan-on-schema.ts';
import { buildMainQuery } from './query/build-main-query.ts';
import { buildTransactionRequest } from './query/build-transaction-request.ts';
import { MAIN_COLUMNS, type MainQuery } from './query/main-query.ts';
import type { Tenant } from './registry/tenant.ts';
import { respondDescribe } from './respond/respond-describe.ts';
import { toResponse } from './respond/to-response.ts';
import type { Services } from './services.ts';

/** Path of the REST endpoint; what follows it is PostgREST's. */
export const REST_PREFIX = '/rest/v1';

/**
 * The pipeline, one line a stage: host → tenant → role → picture of the schema → request → plan → SQL → upstream → rows → response.
 *
 * @throws whatever a stage throws; `toGatewayError` makes one class of it
 */
export async function handleRequest(
  http: HttpRequest,
  services: Services,
  trace: RequestTrace,
): Promise<Response> {
  const tenant = await services.resolveTenant(http);
  trace.tenant = tenant;
  trace.lap('tenant');
  const { headers } = http;
  const { apikey, rawQuery } = takeQueryApiKey(http.rawQuery);
  const credentials = { authorization: headers.authorization, apikey: headers.apikey ?? apikey };
  const auth = await services.authenticator.authenticate(credentials, tenant);
  trace.auth = auth;
  trace.lap('jwt');
  const { schemaCaches } = services;
  const picture = await schemaCaches.get(tenant, http.signal);
  trace.lap('cache');
  const body = await readBody(http, tenant, services.config.gateway.maxBodyBytes);
  trace.lap('body');
  const path = http.path.slice(REST_PREFIX.length) || '/';
  const request = parseApiRequest({ method: http.method, path, rawQuery, headers, body }, tenant.settings);
  trace.lap('parse');
  const { plan, cache } = await planOnSchema(request, picture, { tenant, schemaCaches, signal: http.signal });
  const extraHeaders = gatewayHeaders(http, trace.requestId, tenant);
  if (isDescription(plan)) return respondDescribe(plan, extraHeaders);
  const query = buildMainQuery(plan, request, tenant);
  const { statementTimeoutMs } = services.config.pools;
  const transaction = buildTransactionRequest({
    tenant,
    auth,
    request,
    plan,
    query,
    cache,
    statementTimeoutMs,
  });
  trace.lap('plan');
  const resultSet = await services.runTransaction(tenant, transaction, { signal: http.signal, trace });
  trace.rows = rowCount(plan, query, resultSet);
  trace.lap('transaction');
  const root = { cache, naming: tenant.naming, baseUrl: baseUrl(http, services) };
  const { settings } = tenant;
  const response = toResponse({ request, plan, query, resultSet, settings, extraHeaders, root });
  trace.lap('response');
  if (settings.serverTimingEnabled) response.headers.set('Server-Timing', trace.serverTiming());
  return response;
}

type DescribePlan = Exclude<ActionPlan, DatabasePlan>;

function isDescription(plan: ActionPlan): plan is DescribePlan {
  return plan.kind === 'options-root' || plan.kind === 'options-relation' || plan.kind === 'options-routine';
}

/** Only these methods carry a payload; a body elsewhere is ignored, as PostgREST does. */
function readBody(http: HttpRequest, tenant: Tenant, processLimit: number): Promise<Uint8Array> | undefined {
  if (http.method !== 'POST' && http.method !== 'PATCH' && http.method !== 'PUT') return undefined;
  return http.readBody(Math.min(processLimit, tenant.limits.maxBodyBytes ?? processLimit));
}

/** For the log. A plan's rows are lines of EXPLAIN, and the root's are privileges: neither is counted. */
function rowCount(plan: DatabasePlan, query: MainQuery, { results }: ResultSet): number | undefined {
  if (plan.kind === 'inspect-root' || plan.explain !== undefined) return undefined;
  const count = results[query.main]?.rows[0]?.[MAIN_COLUMNS.pageCount];
  return count === undefined || count === null ? undefined : Number(count);
}

/** Where the client reached the endpoint, for the root document. */
function baseUrl(http: HttpRequest, { isTrustedProxy }: Services): string {
  const { headers } = http;
  const forwarded = headers['x-forwarded-proto'] ?? headers['x-forwarded-host'];
  if (forwarded === undefined || !isTrustedProxy(http.remoteAddress)) {
    return `${http.scheme}://${http.host ?? ''}${REST_PREFIX}`;
  }
  const scheme = headers['x-forwarded-proto'] === 'https' ? 'https' : http.scheme;
  const host = headers['x-forwarded-host']?.split(',', 1)[0]?.trim() ?? http.host ?? '';
  return `${scheme}://${host}${REST_PREFIX}`;
}
