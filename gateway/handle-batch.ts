import { parseApiRequest } from './api-request/parse-api-request.ts';
import { BATCH_PATH, type BatchPart, parseBatch, partHeaders } from './api-request/parse-batch.ts';
import { parsePreferences } from './api-request/parse-preferences.ts';
import type { Authenticated } from './authenticate-on-schema.ts';
import { errorResponse } from './errors/error-response.ts';
import { GatewayError } from './errors/gateway-error.ts';
import type { HttpResponse } from './errors/http-response.ts';
import { toGatewayError } from './errors/to-gateway-error.ts';
import type { HttpRequest } from './http/http-request.ts';
import { statementTimeoutFor } from './http/request-limits.ts';
import type { RequestTrace } from './http/request-trace.ts';
import { gatewayHeaders } from './http/response-headers.ts';
import { checkPreferences } from './plan/check-preferences.ts';
import { planTransactionEnd } from './plan/transaction-end.ts';
import { planOnSchema } from './plan-on-schema.ts';
import { STAGE } from './platform/observation.ts';
import type { ResultSet } from './platform/result-set.ts';
import { buildTransactionRequest } from './query/build-transaction-request.ts';
import { joinBatch } from './query/join-batch.ts';
import type { TransactionRequest } from './query/transaction-request.ts';
import type { PostgrestSettings } from './registry/tenant.ts';
import { batchBody, type PartAnswer } from './respond/batch-answer.ts';
import type { ResponseInput } from './respond/response-input.ts';
import { toResponse } from './respond/to-response.ts';
import { CONSISTENCY_HEADER, CONSISTENCY_REQUEST_HEADER } from './routing/consistency.ts';
import type { Services } from './services.ts';

export interface BatchContext {
  readonly http: HttpRequest;
  readonly known: Authenticated;
  readonly services: Services;
  readonly trace: RequestTrace;
}

/** Whether this is the batch endpoint of a tenant that has one; for all others the path is PostgREST's 404. */
export function isBatch(path: string, settings: PostgrestSettings): boolean {
  return settings.cascataBatchMaxRequests > 0 && path === BATCH_PATH;
}

/**
 * Several requests in one transaction (docs/batch.md): the pipeline's stages for each part, one transaction and one round trip for all
 * of them.
 *
 * @throws {GatewayError} with the `index` of the part that failed: then nothing of the batch has happened
 */
export async function handleBatch(
  body: Uint8Array | undefined,
  context: BatchContext,
): Promise<HttpResponse> {
  const { http, known, services, trace } = context;
  const { settings } = known.tenant;
  if (body === undefined) {
    throw new GatewayError('PGRST117', { message: `Unsupported HTTP method: ${http.method}` });
  }
  const preferences = parsePreferences(http.headers.prefer, settings.dbTxEnd.endsWith('-allow-override'));
  checkPreferences(preferences);
  const parts = parseBatch(body, settings.cascataBatchMaxRequests);
  trace.lap(STAGE.parse);
  const planned: PlannedPart[] = [];
  for (const [index, part] of parts.entries()) {
    planned.push(await inPart(index, context, () => planPart(part, planned.at(-1), context)));
  }
  const end = planTransactionEnd(settings, preferences);
  const { request, firsts, owners } = joinBatch(
    planned.map(({ transaction }) => transaction),
    end,
  );
  if (request.accessMode === 'read write') planned.forEach(checkWritable);
  trace.lap(STAGE.plan);
  let failed: number | null = null;
  const onFailedStatement = (statement: number): void => {
    failed = owners[statement] ?? null;
  };
  const running = services.runTransaction(known.tenant, request, {
    signal: http,
    trace,
    consistency: http.headers[CONSISTENCY_REQUEST_HEADER],
    onFailedStatement,
  });
  const { results, commitLsn } = await running.catch((error: unknown) => {
    throw withIndex(error, failed, context);
  });
  trace.lap(STAGE.transaction);
  const answers = planned.map((part, index) => {
    const first = firsts[index]!;
    const own = results.slice(first, first + part.transaction.statements.length);
    return answerPart(part, { results: own }, context);
  });
  const { serverHeader: hasServer } = services.config.gateway;
  const headers: Record<string, string> = { 'Content-Type': 'application/json; charset=utf-8' };
  gatewayHeaders(http, { requestId: trace.requestId, settings, hasServer })(headers);
  if (preferences.tx !== undefined) headers['Preference-Applied'] = `tx=${preferences.tx}`;
  if (commitLsn !== undefined) headers[CONSISTENCY_HEADER] = commitLsn;
  return { status: 200, headers, body: batchBody(answers) };
}

interface PlannedPart extends Omit<ResponseInput, 'resultSet' | 'addHeaders' | 'root'> {
  /** What it was planned on. */
  readonly on: Pick<Authenticated, 'tenant' | 'picture'>;
  readonly transaction: TransactionRequest;
}

/** The stages `parseApiRequest`, `planAction` and `buildMainQuery`. A picture that was read anew for one part serves those after it. */
async function planPart(
  part: BatchPart,
  previous: PlannedPart | undefined,
  { http, known: { registered, ...first }, services }: BatchContext,
): Promise<PlannedPart> {
  const { tenant: latest, picture } = previous?.on ?? first;
  const headers = partHeaders(http.headers, part.headers);
  const request = parseApiRequest({ ...part, headers }, first.tenant.settings);
  const known = { registered, tenant: latest, picture };
  const planned = await planOnSchema(request, { known, services, http });
  const { cache, tenant } = planned;
  if (planned.query === undefined) throw new GatewayError('GW311');
  const { plan, query } = planned;
  if (query.lines !== undefined) {
    throw new GatewayError('GW311', { details: 'The answers of a batch are not sent row by row' });
  }
  const statementTimeoutMs = statementTimeoutFor(http.headers, services.config.pools.statementTimeoutMs);
  const transaction = buildTransactionRequest({
    tenant,
    auth: first.auth,
    request,
    plan,
    query,
    cache,
    statementTimeoutMs,
  });
  const on = { tenant, picture: cache };
  return { request, plan, query, settings: tenant.settings, on, transaction };
}

/**
 * Alone, a GET runs in a transaction that cannot write; among writes that cannot be had for one statement. Relations are read all the
 * same, but a function that may write has to be called in a way that says so.
 */
function checkWritable({ plan, request }: PlannedPart, index: number): void {
  if (plan.kind !== 'call' || request.method === 'POST' || plan.routine.volatility !== 'volatile') return;
  throw new GatewayError('GW311', {
    details: `The function ${plan.routine.name} is volatile: in a batch that writes it can only be called by POST`,
    index,
  });
}

/** A part's own response. Its database may have asked for one that cannot be, of which the others know nothing: they have happened. */
function answerPart(part: PlannedPart, resultSet: ResultSet, context: BatchContext): PartAnswer {
  const { plan, settings } = part;
  const isOurs = plan.kind !== 'inspect-root' && plan.body.kind === 'builtin';
  try {
    return { ...toResponse({ ...part, resultSet, addHeaders: () => {} }), isOurs };
  } catch (thrown) {
    const error = toGatewayError(thrown, errorContext(context));
    const verbosity = settings.clientErrorVerbosity;
    return { ...errorResponse(error, { headersOnly: false, verbosity }), isOurs: true };
  }
}

async function inPart<T>(index: number, context: BatchContext, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw withIndex(error, index, context);
  }
}

/** The error as the client is told of it, and of which part it is; `null` when it is of none. */
function withIndex(thrown: unknown, index: number | null, context: BatchContext): GatewayError {
  const error = toGatewayError(thrown, errorContext(context));
  const { code, status, statusText, message, details, hint, headers } = error;
  return new GatewayError({
    code,
    status,
    statusText,
    message,
    details,
    hint,
    headers,
    index,
    cause: thrown,
  });
}

function errorContext({ known }: BatchContext): Parameters<typeof toGatewayError>[1] {
  return { isAuthenticated: known.auth.isAuthenticated, naming: known.tenant.naming };
}
