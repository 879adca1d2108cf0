import { type Context, Hono } from 'hono';
import { BATCH_PATH } from './api-request/parse-batch.ts';
import { errorResponse } from './errors/error-response.ts';
import { forwardedTenant } from './errors/forwarded-error.ts';
import { GatewayError } from './errors/gateway-error.ts';
import type { HttpResponse } from './errors/http-response.ts';
import { toGatewayError } from './errors/to-gateway-error.ts';
import { handleRequest, REST_PREFIX } from './handle-request.ts';
import { isPreflight, preflightHeaders } from './http/cors.ts';
import { FetchRequest } from './http/fetch-request.ts';
import { fetchResponse } from './http/fetch-response.ts';
import { type HttpRequest, splitUrl } from './http/http-request.ts';
import type { NodeBindings } from './http/node-bindings.ts';
import { NodeRequest } from './http/node-request.ts';
import { RequestTrace } from './http/request-trace.ts';
import { gatewayHeaders } from './http/response-headers.ts';
import type { Services } from './services.ts';

type Env = { Bindings: Partial<NodeBindings> };

/**
 * The HTTP side of the gateway: routes, request ids, CORS, errors, the line in the log. There is no middleware: each route is
 * one handler, and headers are put in where a response is made, because changing them afterwards costs the server's fast path.
 */
export function createApp(services: Services): Hono<Env> {
  // The path is routed as sent: decoding it here could make one path of two.
  const app = new Hono<Env>({ getPath: (request) => splitUrl(request.url).path });
  const rest = (c: Context<Env>) => answerRest(httpRequest(c), services, fetchResponse);
  app.all(REST_PREFIX, rest);
  app.all(`${REST_PREFIX}/*`, rest);
  app.get('/live', () => json(200, { status: 'live' }));
  app.get('/ready', () => ready(services));
  app.get('/metrics', async () => {
    const { metrics } = services;
    return new Response(await metrics.render(), { headers: { 'Content-Type': metrics.contentType } });
  });
  const unknown: Pipeline = {
    routeOf: () => 'unknown',
    serve: () => Promise.reject(new GatewayError('GW107')),
  };
  app.notFound((c) => answer(httpRequest(c), services, unknown, fetchResponse));
  app.onError((error, c) => {
    const failing: Pipeline = { routeOf: () => 'internal', serve: () => Promise.reject(error) };
    return answer(httpRequest(c), services, failing, fetchResponse);
  });
  return app;
}

/** Answers a request of the REST endpoint. Never rejects. @param send gets the response; what it returns is returned */
export function answerRest<T>(
  http: HttpRequest,
  services: Services,
  send: (response: HttpResponse) => T,
): Promise<T> {
  return answer(http, services, REST, send);
}

/** How requests of one kind are served, and what they are called in logs and metrics. */
interface Pipeline {
  readonly routeOf: (path: string) => string;
  readonly serve: (http: HttpRequest, services: Services, trace: RequestTrace) => Promise<HttpResponse>;
}

/** Gives a request its id, its response whatever happens, and its line in the log. */
async function answer<T>(
  http: HttpRequest,
  services: Services,
  { routeOf, serve }: Pipeline,
  send: (response: HttpResponse) => T,
): Promise<T> {
  const requestId = services.requestIds.of(http.headers['x-request-id']);
  const trace = new RequestTrace({ requestId, method: http.method, route: routeOf(http.path) });
  let response: HttpResponse;
  try {
    response = await serve(http, services, trace);
  } catch (error) {
    response = await forwardedOrFailed(error, http, services, trace);
  }
  if (!trace.isOpen) trace.finish(response.status, services.observe);
  // Here rather than by who waits for the answer: that would be a promise more for every request.
  return send(response);
}

function serveRest(http: HttpRequest, services: Services, trace: RequestTrace): Promise<HttpResponse> {
  if (!isPreflight(http.method, http.headers)) return handleRequest(http, services, trace);
  return preflight(http, services, trace);
}

/**
 * Browsers ask before they send. Whatever the host is, known or not, they get an answer that lets the request itself
 * be made, so that its own answer can be read; only a tenant's list of origins makes a difference.
 */
async function preflight(http: HttpRequest, services: Services, trace: RequestTrace): Promise<HttpResponse> {
  try {
    const { schemaCaches } = services;
    const registered = await services.resolveTenant(http);
    if (registered.forward !== undefined) return await services.forwarder.forward(http, registered, trace);
    trace.tenant = schemaCaches.withSettings(registered, schemaCaches.current(registered));
  } catch {
    // An unknown host, an unreachable registry or installation is told by the request that follows.
  }
  const headers = {
    'X-Request-Id': trace.requestId,
    ...preflightHeaders(http.headers, trace.tenant?.settings),
  };
  return { status: 200, headers: { ...headers, 'Content-Length': '0' }, body: undefined };
}

/** A write that was held while its tenant moved to another installation goes there now, with the body that was read of it. */
async function forwardedOrFailed(
  thrown: unknown,
  http: HttpRequest,
  services: Services,
  trace: RequestTrace,
): Promise<HttpResponse> {
  const tenant = forwardedTenant(thrown);
  if (tenant === undefined) return failed(thrown, http, services, trace);
  try {
    return await services.forwarder.forward(http, tenant, trace);
  } catch (error) {
    return failed(error, http, services, trace);
  }
}

function failed(thrown: unknown, http: HttpRequest, services: Services, trace: RequestTrace): HttpResponse {
  const { tenant, auth, requestId } = trace;
  const { serverHeader: hasServer } = services.config.gateway;
  const error = toGatewayError(thrown, {
    isAuthenticated: auth?.isAuthenticated ?? false,
    naming: tenant?.naming,
  });
  trace.errorCode = error.code;
  // Only our own bugs need more than their code: everything else was somebody's request, or is told by who noticed it.
  if (error.code === 'GW901') {
    services.observe({ kind: 'request-failed', requestId, tenantId: tenant?.id, cause: thrown });
  }
  return errorResponse(error, {
    headersOnly: http.method === 'HEAD',
    verbosity: tenant?.settings.clientErrorVerbosity ?? 'verbose',
    addHeaders: gatewayHeaders(http, { requestId, settings: tenant?.settings, hasServer }),
  });
}

function httpRequest({ req, env }: Context<Env>): HttpRequest {
  // Without a server around it (`app.request`) there is no environment at all.
  const { incoming, outgoing } = (env as Partial<NodeBindings> | undefined) ?? {};
  if (incoming === undefined || outgoing === undefined) return new FetchRequest(req.raw);
  return new NodeRequest({ incoming, outgoing }, splitUrl(req.raw.url));
}

/** The pattern a path belongs to; the names in it stay out of logs and metrics. */
function routeOf(path: string): string {
  const below = path.slice(REST_PREFIX.length);
  if (below === '' || below === '/') return ROUTES.root;
  if (below === BATCH_PATH) return ROUTES.batch;
  return below.startsWith('/rpc/') ? ROUTES.routine : ROUTES.relation;
}

const REST: Pipeline = { routeOf, serve: serveRest };

/** Joined once: series of metrics are looked up by them. */
const ROUTES = {
  root: `${REST_PREFIX}/`,
  batch: `${REST_PREFIX}${BATCH_PATH}`,
  routine: `${REST_PREFIX}/rpc/:function`,
  relation: `${REST_PREFIX}/:relation`,
} as const;

function ready({ readiness }: Services): Response {
  const reason = readiness();
  return reason === undefined ? json(200, { status: 'ready' }) : json(503, { status: 'not ready', reason });
}

function json(status: 200 | 503, body: object): Response {
  const headers: Record<string, string> = { 'Content-Type': 'application/json; charset=utf-8' };
  if (status === 503) headers['Retry-After'] = '1';
  return new Response(JSON.stringify(body), { status, headers });
}
