import cluster from 'node:cluster';
import { startWorkers } from './cluster.ts';
import { planDrain } from './drain.ts';
import { createGatewayServer } from './gateway-server.ts';
import { type GatewayConfig, readGatewayConfig } from './platform/config.ts';
import { createLogger } from './platform/logger.ts';
import { createMetrics } from './platform/metrics.ts';
import { combineObservers } from './platform/observer.ts';
import { announceListening, watchParent } from './platform/parent-watch.ts';
import { installShutdown } from './platform/shutdown.ts';
import { createServices } from './services.ts';
import { withOtherWorkers } from './worker-metrics.ts';

/** Entry of the gateway process: config → services → serve → drain on SIGTERM. */
async function main(): Promise<void> {
  const config = await readGatewayConfig();
  if (config.gateway.workers > 1 && cluster.isPrimary) startWorkers(config);
  else await serve(config);
}

async function serve(config: GatewayConfig): Promise<void> {
  const startedAt = performance.now();
  const { logLevel: level, isProduction } = config;
  const name = cluster.isWorker ? `gateway-${cluster.worker?.id}` : 'gateway';
  const logger = createLogger({ process: name, level, isProduction });
  const metrics = cluster.isWorker ? withOtherWorkers(createMetrics()) : createMetrics();
  const observe = combineObservers(logger.observe, metrics.observe);
  const services = createServices(config, { observe, metrics });
  const server = createGatewayServer(services, observe);
  const { steps, timeoutMs } = planDrain(server, services, config.gateway.drainTimeoutMs);
  const shutdown = installShutdown({
    process: name,
    observe,
    timeoutMs,
    steps: [...steps, { name: 'log', run: async () => logger.flush() }],
  });
  watchParent(() => void shutdown('the parent process has gone'));
  try {
    const port = await server.listen();
    if (!cluster.isWorker) announceListening(port);
    observe({ kind: 'process-started', process: name, port, durationMs: performance.now() - startedAt });
  } catch (error) {
    process.stderr.write(`${listenFailure(error, config)}\n`);
    process.exit(1);
  }
}

function listenFailure(error: unknown, { gateway: { host, port } }: GatewayConfig): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE')
    return `The gateway cannot listen on ${host}:${port}: the port is in use (set GATEWAY_PORT)`;
  return `The gateway cannot listen on ${host}:${port}: ${error instanceof Error ? error.message : String(error)}`;
}

await main();
