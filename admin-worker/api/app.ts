import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Metrics } from '../../gateway/platform/metrics.ts';
import { NO_STAGES } from '../../gateway/platform/observation.ts';
import { facilitiesOff } from '../containers/facilities.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';
import { adoptRoutes } from './adopt-routes.ts';
import { type AuthenticateOptions, authenticate } from './authenticate.ts';
import { clusterExtensionRoutes } from './cluster-extension-routes.ts';
import { digestRoutes } from './digest-routes.ts';
import { ejectRoutes } from './eject-routes.ts';
import { errorResponse, toAdminError } from './error-response.ts';
import { archiveRoutes, exportRoutes } from './export-routes.ts';
import { extensionRoutes } from './extension-routes.ts';
import { hydrateRoutes } from './hydrate-routes.ts';
import { installationRoutes } from './installation-routes.ts';
import { renderJobMetrics } from './job-metrics.ts';
import { jobRoutes } from './job-routes.ts';
import { keyRoutes } from './key-routes.ts';
import { migrationRoutes } from './migration-routes.ts';
import { moveRoutes } from './move-routes.ts';
import { openapiDocument } from './openapi.ts';
import { pgbouncerRoutes } from './pgbouncer-routes.ts';
import { tenantRoutes } from './tenant-routes.ts';
import { uploadRoutes } from './upload-routes.ts';

export interface AdminAppOptions {
  readonly services: ApiServices;
  readonly metrics: Metrics;
  readonly auth: AuthenticateOptions;
}

const MAX_BODY_BYTES = 32 * 1024 * 1024;
const READY_TIMEOUT_MS = 2_000;

/** Answers hold keys, and nothing here is a page. */
const SECURITY_HEADERS = [
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  ['Referrer-Policy', 'no-referrer'],
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
] as const;

/** The admin API: everything but `/live`, `/ready` and `/openapi.json` asks for the admin token. */
export function createAdminApp({ services, metrics, auth }: AdminAppOptions): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();

  app.use(async (c, next) => {
    const startedAt = performance.now();
    const requestId = randomUUID();
    c.set('requestId', requestId);
    await next();
    c.res.headers.set('X-Request-Id', requestId);
    for (const [name, value] of SECURITY_HEADERS) c.res.headers.set(name, value);
    // Streams of events say something of their own.
    if (!c.res.headers.has('Cache-Control')) c.res.headers.set('Cache-Control', 'no-store');
    services.observe({
      kind: 'request-finished',
      requestId,
      tenantId: undefined,
      method: c.req.method,
      route: routeOf(c.req.path),
      status: c.res.status,
      errorCode: c.error === undefined ? undefined : toAdminError(c.error).code,
      upstream: undefined,
      rows: undefined,
      durationMs: performance.now() - startedAt,
      stages: NO_STAGES,
    });
  });

  app.get('/live', (c) => c.json({ status: 'live' }));
  app.get('/ready', async (c) => {
    await services.control.query({ text: 'SELECT 1 FROM control.tenants LIMIT 1', ...queryTimeout() });
    return c.json({ status: 'ready', off: await facilitiesOff(services.control) });
  });
  app.get('/openapi.json', (c) => c.json(openapiDocument()));

  app.use(authenticate(auth));
  // Before the limit: what comes here goes to a file as it comes.
  app.route('/v1/uploads', uploadRoutes(services));
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw new AdminError('payload_too_large', `The body is larger than ${MAX_BODY_BYTES} bytes`);
      },
    }),
  );
  app.get('/metrics', async (c) => {
    // Without the control database there are still the metrics of this process, which say that it is away.
    const jobs = await renderJobMetrics(services.control).catch((cause: unknown) => {
      services.observe({ kind: 'registry-unreachable', cause });
      return '';
    });
    return c.body((await metrics.render()) + jobs, 200, { 'Content-Type': metrics.contentType });
  });
  app.route('/v1/tenants', tenantRoutes(services));
  app.route('/v1/tenants', keyRoutes(services));
  app.route('/v1/tenants', migrationRoutes(services));
  app.route('/v1/tenants', exportRoutes(services));
  app.route('/v1/tenants', adoptRoutes(services));
  app.route('/v1/tenants', ejectRoutes(services));
  app.route('/v1/tenants', moveRoutes(services));
  app.route('/v1/tenants', digestRoutes(services));
  app.route('/v1/installation', installationRoutes(services));
  app.route('/v1/pgbouncer', pgbouncerRoutes(services));
  app.route('/v1/hydrate', hydrateRoutes(services));
  app.route('/v1/tenants', extensionRoutes(services));
  app.route('/v1/extensions', clusterExtensionRoutes(services));
  app.route('/v1/jobs', jobRoutes(services));
  app.route('/v1/jobs', archiveRoutes(services));

  app.notFound((c) => {
    throw new AdminError('not_found', `There is nothing at ${c.req.method} ${c.req.path.slice(0, 200)}`);
  });
  app.onError((error, c) => {
    const known = toAdminError(error);
    // What a client did wrong is told to the client; what we did wrong is told to the log, once.
    if (known.status >= 500) {
      services.observe({
        kind: 'request-failed',
        requestId: c.get('requestId'),
        tenantId: undefined,
        cause: error,
      });
    }
    return errorResponse(c, known);
  });
  return app;
}

/** The type definitions of pg know the option for pools only. */
function queryTimeout(): object {
  return { query_timeout: READY_TIMEOUT_MS };
}

/** The route's pattern: ids make no metrics series of their own. */
function routeOf(path: string): string {
  return path
    .replace(/^(\/v1\/(?:tenants|jobs|uploads))\/[^/]+/, '$1/:id')
    .replace(/^(\/v1\/tenants\/:id\/extensions)\/[^/]+$/, '$1/:name')
    .replace(
      /^(?!\/(?:v1\/(?:tenants|jobs|uploads|hydrate|extensions|installation|pgbouncer)|live|ready|metrics|openapi\.json)).*$/,
      '(unknown)',
    );
}
