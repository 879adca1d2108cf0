import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { errorResponse } from '../errors/error-response.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import type { AddHeaders } from '../errors/http-response.ts';
import type { Observe } from '../platform/observation.ts';
import type { Settings } from '../platform/settings.ts';
import { createClientErrorHandler } from './client-error.ts';
import { clientHeaders } from './client-headers.ts';
import { answerDirectly, type DirectRoute, isDirect } from './direct-route.ts';
import { fetchResponse } from './fetch-response.ts';
import type { NodeBindings } from './node-bindings.ts';
import { discardRest, hasBody } from './read-body.ts';
import { RequestTrace } from './request-trace.ts';
import { cutSlowReaders } from './slow-readers.ts';

export interface HttpServerOptions {
  readonly fetch: (request: Request, node: NodeBindings) => Response | Promise<Response>;
  /** Answers requests below a prefix without the Fetch API's objects in between, see `isDirect`. */
  readonly direct?: DirectRoute | undefined;
  readonly settings: Settings['gateway'];
  readonly observe: Observe;
}

export interface HttpServer {
  /** @returns the port, also when any free one was asked for */
  listen(): Promise<number>;
  /**
   * Takes no new connections, lets requests under way finish and tells their clients to close.
   *
   * @param signal cuts what is still open
   */
  drain(signal: AbortSignal): Promise<void>;
}

/** How often connections that came to rest are looked for while draining. */
const IDLE_CHECK_MS = 50;

/** Node's HTTP server around the app: limits of size and time, and answers to what never becomes a request. */
export function createHttpServer({ fetch, direct, settings, observe }: HttpServerOptions): HttpServer {
  const handle = getRequestListener((request, env) => fetch(request, env as NodeBindings), {
    // Bodies are looked after below; the adapter would cut the connection after half a second.
    autoCleanupIncoming: false,
    errorHandler: (error) => malformed(error, observe),
  });
  let isDraining = false;
  const listener = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    if (isDraining) outgoing.shouldKeepAlive = false;
    if (direct !== undefined) {
      const headers = clientHeaders(incoming);
      if (isDirect(incoming, headers, direct.prefix)) {
        answerDirectly(direct, { incoming, outgoing }, headers);
        return;
      }
    }
    if (hasBody(clientHeaders(incoming).values)) outgoing.once('finish', () => discardRest(incoming));
    // Never rejects: the adapter answers or closes whatever happens.
    void handle(incoming, outgoing);
  };
  /** Counted by connection, not by request, of which there are many more. */
  const sockets = new Set<Socket>();
  const server = createServer(
    {
      maxHeaderSize: settings.maxHeaderBytes,
      headersTimeout: settings.headersTimeoutMs,
      requestTimeout: settings.requestTimeoutMs,
      keepAliveTimeout: settings.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(settings.headersTimeoutMs, 5_000),
      // Answered by us, in JSON, like any other request without a host.
      requireHostHeader: false,
      // Of two Host or Authorization headers Node would take the first and a proxy perhaps the last; joined, they are nobody's host or token.
      joinDuplicateHeaders: true,
      noDelay: true,
    },
    listener,
  );
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  // Whether the client may go on is known when its body is wanted.
  server.on('checkContinue', listener);
  server.on('clientError', createClientErrorHandler(observe));
  cutSlowReaders(server, { idleMs: settings.requestTimeoutMs });
  return {
    listen: () => listen(server, settings),
    drain(signal) {
      isDraining = true;
      for (const socket of sockets) announceClose(socket);
      return close(server, signal);
    },
  };
}

function listen(server: Server, { host, port }: Settings['gateway']): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 2_048 }, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** A response that is yet to be written tells its client that the connection ends with it. */
function announceClose(socket: Socket & { readonly _httpMessage?: unknown }): void {
  const message = socket._httpMessage;
  if (message instanceof ServerResponse && !message.headersSent) message.shouldKeepAlive = false;
}

function close(server: Server, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
    const cut = (): void => server.closeAllConnections();
    signal.addEventListener('abort', cut, { once: true });
    server.close(() => {
      clearInterval(timer);
      signal.removeEventListener('abort', cut);
      resolve();
    });
    if (signal.aborted) cut();
  });
}

/** What Node's parser let through and is no URL all the same, or has no usable host. The app itself answers its own errors. */
function malformed(cause: unknown, observe: Observe): Response {
  const isRequestError = cause instanceof Error && cause.name === 'RequestError';
  const error = isRequestError
    ? new GatewayError('GW108', { cause, details: 'The request target or the Host header is malformed' })
    : new GatewayError('GW901', { cause });
  const trace = new RequestTrace({ requestId: randomUUID(), method: '', route: 'malformed' });
  trace.errorCode = error.code;
  if (!isRequestError) {
    observe({ kind: 'request-failed', requestId: trace.requestId, tenantId: undefined, cause });
  }
  trace.finish(error.status, observe);
  const addHeaders: AddHeaders = (headers) => {
    headers['X-Request-Id'] = trace.requestId;
    headers['Access-Control-Allow-Origin'] = '*';
  };
  return fetchResponse(errorResponse(error, { headersOnly: false, verbosity: 'verbose', addHeaders }));
}
