import { parseApiRequest } from './api-request/parse-api-request.ts';
import { hasQueryBody, MAX_QUERY_BODY_BYTES, queryFromBody } from './api-request/query-body.ts';
import { takeQueryApiKey } from './auth/credentials.ts';
import { authenticateOnSchema } from './authenticate-on-schema.ts';
import type { HttpResponse } from './errors/http-response.ts';
import { handleBatch, isBatch } from './handle-batch.ts';
import type { HttpRequest } from './http/http-request.ts';
import { checkHeaderSize, statementTimeoutFor } from './http/request-limits.ts';
import type { RequestTrace } from './http/request-trace.ts';
import { gatewayHeaders } from './http/response-headers.ts';
import type { DatabasePlan } from './plan/action-plan.ts';
import { planOnSchema } from './plan-on-schema.ts';
import { STAGE } from './platform/observation.ts';
import type { ResultSet } from './platform/result-set.ts';
import { MAIN_COLUMNS, type MainQuery } from './query/main-query.ts';
import type { PostgrestSettings, Tenant } from './registry/tenant.ts';
import { respondDescribe } from './respond/respond-describe.ts';
import { toResponse } from './respond/to-response.ts';
import { CONSISTENCY_HEADER, CONSISTENCY_REQUEST_HEADER } from './routing/consistency.ts';
import type { Services } from './services.ts';
import { streamLines } from './stream-lines.ts';

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
): Promise<HttpResponse> {
  const found = services.resolveTenant(http);
  const registered = found instanceof Promise ? await found : found;
  trace.tenant = registered;
  trace.lap(STAGE.tenant);
  if (registered.forward !== undefined) return services.forwarder.forward(http, registered, trace);
  const { headers } = http;
  const { limits } = registered;
  if (limits.requestsPerSecond !== undefined) services.rateLimit.take(registered);
  if (limits.maxHeaderBytes !== undefined) checkHeaderSize(http, limits.maxHeaderBytes);
  const { apikey, rawQuery } = takeQueryApiKey(http.rawQuery);
  const credentials = { authorization: headers.authorization, apikey: headers.apikey ?? apikey };
  const identified = authenticateOnSchema(credentials, registered, services, { http, trace });
  const known = identified instanceof Promise ? await identified : identified;
  const { auth } = known;
  const isQuery = hasQueryBody(http, known.tenant.settings);
  const { maxBodyBytes } = services.config.gateway;
  const processLimit = isQuery ? Math.min(maxBodyBytes, MAX_QUERY_BODY_BYTES) : maxBodyBytes;
  const reading = isQuery || hasPayload(http) ? readBody(http, registered, processLimit) : undefined;
  const body = reading === undefined ? undefined : await reading;
  if (reading !== undefined) trace.lap(STAGE.body);
  const path = http.path.slice(REST_PREFIX.length) || '/';
  if (isBatch(path, known.tenant.settings)) {
    const answering = handleBatch(body, { http, known, services, trace });
    return timed(await answering, known.tenant.settings, trace);
  }
  const sent = { method: http.method, path, rawQuery, headers, body };
  const given = isQuery ? queryFromBody(sent) : sent;
  const request = parseApiRequest(given, known.tenant.settings, services.queryParser.parse);
  trace.lap(STAGE.parse);
  const planning = planOnSchema(request, { known, services, http });
  const planned = planning instanceof Promise ? await planning : planning;
  const { cache, tenant } = planned;
  trace.tenant = tenant;
  const { settings } = tenant;
  const { serverHeader: hasServer } = services.config.gateway;
  const addHeaders = gatewayHeaders(http, { requestId: trace.requestId, settings, hasServer });
  if (planned.query === undefined) {
    trace.lap(STAGE.plan);
    return timed(respondDescribe(planned.plan, addHeaders, settings), settings, trace);
  }
  const { plan, query } = planned;
  const statementTimeoutMs = statementTimeoutFor(headers, services.config.pools.statementTimeoutMs);
  const { client } = http;
  // Those that the database is told, unless cookies were taken out of them.
  const headersJson = request.headers === headers ? client?.json : undefined;
  const input = { tenant, auth, request, plan, query, cache, statementTimeoutMs, headersJson };
  const transaction = services.contexts.build(input, client?.isRepeated ? client : undefined);
  trace.lap(STAGE.plan);
  const consistency = headers[CONSISTENCY_REQUEST_HEADER];
  if (query.lines !== undefined) {
    return streamLines(
      transaction,
      { request, plan, query, settings, addHeaders },
      { tenant, http, services, trace, consistency },
    );
  }
  const resultSet = await services.runTransaction(tenant, transaction, { signal: http, trace, consistency });
  trace.rows = rowCount(plan, query, resultSet);
  trace.lap(STAGE.transaction);
  const root =
    plan.kind === 'inspect-root'
      ? { cache, naming: tenant.naming, baseUrl: baseUrl(http, services) }
      : undefined;
  const response = toResponse({ request, plan, query, resultSet, settings, addHeaders, root });
  if (resultSet.commitLsn !== undefined) response.headers[CONSISTENCY_HEADER] = resultSet.commitLsn;
  return timed(response, settings, trace);
}

/** The last lap, and `Server-Timing` where it is wanted (H6): the stages that took place. */
function timed(response: HttpResponse, settings: PostgrestSettings, trace: RequestTrace): HttpResponse {
  trace.lap(STAGE.response);
  if (settings.serverTimingEnabled) response.headers['Server-Timing'] = trace.serverTiming();
  return response;
}

/** Only these methods carry a payload; a body elsewhere is ignored, as PostgREST does. */
function hasPayload({ method }: HttpRequest): boolean {
  return method === 'POST' || method === 'PATCH' || method === 'PUT';
}

function readBody(http: HttpRequest, tenant: Tenant, processLimit: number): Promise<Uint8Array> {
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
