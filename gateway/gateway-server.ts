import { answerRest, createApp } from './app.ts';
import { REST_PREFIX } from './handle-request.ts';
import { createHttpServer, type HttpServer } from './http/http-server.ts';
import type { Observe } from './platform/observation.ts';
import type { Services } from './services.ts';

/** The whole gateway behind one port: the REST endpoint directly, all else (and whatever is unusual) by the router. */
export function createGatewayServer(services: Services, observe: Observe): HttpServer {
  return createHttpServer({
    fetch: createApp(services).fetch,
    direct: {
      prefix: REST_PREFIX,
      answer: (http, send) => void answerRest(http, services, send),
      writes: services.writes,
      onFault: (cause) => observe({ kind: 'request-failed', requestId: '', tenantId: undefined, cause }),
    },
    settings: services.config.gateway,
    observe,
  });
}
