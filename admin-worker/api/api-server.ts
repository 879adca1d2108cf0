import type { Server } from 'node:http';
import { serve } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import type { Metrics } from '../../gateway/platform/metrics.ts';
import type { Settings } from '../../gateway/platform/settings.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { openSender } from '../jobs/queue.ts';
import { startFreezeSweeper } from '../moves/expired-freezes.ts';
import { type OpenServicesOptions, openAdminServices } from '../open-services.ts';
import type { ApiServices } from './admin-env.ts';
import { createAdminApp } from './app.ts';
import { JobChanges } from './job-changes.ts';

export interface ApiServerOptions extends Omit<OpenServicesOptions, 'process'> {
  readonly adminToken: Secret;
  /** Is good as well, see `AuthenticateOptions`. */
  readonly previousAdminToken?: Secret | undefined;
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly metrics: Metrics;
  readonly failureDelayMs?: number;
  /** Default: nobody has said where others reach the gateway. */
  readonly gateway?: Pick<Settings['gateway'], 'publicUrl'> | undefined;
}

export interface ApiServer {
  readonly port: number;
  /** Refuses new connections and waits for the requests that run; `signal` cuts them off. */
  drain(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

const HEADERS_TIMEOUT_MS = 30_000;

/** Serves the admin API. @throws {Error} when the port cannot be had (`EADDRINUSE`) */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { adminToken, previousAdminToken, host, port, metrics, observe, failureDelayMs } = options;
  const opened = openAdminServices({ ...options, process: 'admin-api' });
  const boss = openSender(opened.control, (cause) => observe({ kind: 'registry-unreachable', cause }));
  const jobChanges = new JobChanges(options.controlDatabaseUrl);
  const services: ApiServices = { ...opened, boss, jobChanges, gatewayUrl: options.gateway?.publicUrl };
  const app = createAdminApp({
    services,
    metrics,
    auth: {
      adminToken,
      previousAdminToken,
      addressOf: (context) => getConnInfo(context).remote.address,
      ...(failureDelayMs === undefined ? {} : { failureDelayMs }),
    },
  });
  const sweeper = startFreezeSweeper(services);
  const close = async () => {
    await sweeper.close();
    await jobChanges.close();
    await boss.stop({ graceful: false });
    await opened.close();
  };
  try {
    await boss.start();
    // In the background: PgBouncer may start after us, and waits for the file.
    void services.pgbouncer?.sync();
    // Of an earlier process that was killed; a PgBouncer that is not there has paused nothing.
    void services.pgbouncer?.pauses.endAll().catch(() => undefined);
    const server = await listen(app.fetch, { host, port });
    const address = server.address();
    return {
      port: typeof address === 'object' && address !== null ? address.port : port,
      drain: (signal) => drain(server, jobChanges, signal),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function listen(
  fetch: Parameters<typeof serve>[0]['fetch'],
  { host, port }: { host: string; port: number },
): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  // Node's five minutes for a whole request would cut off an archive that takes longer to come; uploads have a bound of their own, on silence.
  const serverOptions = { requestTimeout: 0, headersTimeout: HEADERS_TIMEOUT_MS };
  const server = serve({ fetch, hostname: host, port, serverOptions }, () => resolve(server)) as Server;
  server.once('error', reject);
  return promise;
}

async function drain(server: Server, jobChanges: JobChanges, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  // Streams of events have no end of their own; clients take them up again with Last-Event-ID.
  await jobChanges.close();
  const cutOff = () => server.closeAllConnections();
  signal.addEventListener('abort', cutOff, { once: true });
  await promise;
}
