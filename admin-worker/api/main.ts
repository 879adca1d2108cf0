import { readConfig } from '../../gateway/platform/config.ts';
import { createLogger } from '../../gateway/platform/logger.ts';
import { createMetrics } from '../../gateway/platform/metrics.ts';
import { combineObservers } from '../../gateway/platform/observer.ts';
import { announceListening, watchParent } from '../../gateway/platform/parent-watch.ts';
import { installShutdown } from '../../gateway/platform/shutdown.ts';
import { EXIT_CANNOT_LISTEN } from '../exit-codes.ts';
import { startApiServer } from './api-server.ts';

const PROCESS = 'admin-api';

/** Entry of the admin API's process. `admin-worker/main.ts` has made the control schema before it starts this one. */
async function main(): Promise<void> {
  const startedAt = performance.now();
  const config = await readConfig();
  const { host, port, drainTimeoutMs } = config.admin;
  const logger = createLogger({
    process: PROCESS,
    level: config.logLevel,
    isProduction: config.isProduction,
  });
  const metrics = createMetrics();
  const observe = combineObservers(logger.observe, metrics.observe);
  const server = await startApiServer({ ...config, host, port, metrics, observe }).catch((error: unknown) => {
    process.stderr.write(`${listenFailure(error, `${host}:${port}`)}\n`);
    process.exit(EXIT_CANNOT_LISTEN);
  });
  const shutdown = installShutdown({
    process: PROCESS,
    observe,
    timeoutMs: drainTimeoutMs,
    steps: [
      { name: 'requests', run: (signal) => server.drain(signal) },
      { name: 'services', run: () => server.close() },
      { name: 'log', run: async () => logger.flush() },
    ],
  });
  watchParent(() => void shutdown('the parent process has gone'));
  announceListening(server.port);
  observe({
    kind: 'process-started',
    process: PROCESS,
    port: server.port,
    durationMs: performance.now() - startedAt,
  });
}

function listenFailure(error: unknown, place: string): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return `The admin API cannot listen on ${place}: the port is in use (set ADMIN_PORT)`;
  }
  return `The admin API cannot start on ${place}: ${error instanceof Error ? error.message : String(error)}`;
}

await main();
