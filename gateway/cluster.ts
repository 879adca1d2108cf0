import cluster, { type Worker } from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GatewayConfig } from './platform/config.ts';
import { createLogger } from './platform/logger.ts';
import { announceListening, PARENT_WATCH_VARIABLE, watchParent } from './platform/parent-watch.ts';
import { installShutdown } from './platform/shutdown.ts';
import { collectWorkerMetrics } from './worker-metrics.ts';

// A worker that dies at once would otherwise be started again as fast as the machine can.
const RESTART_DELAY_MS = 500;

/**
 * Runs `gateway.workers` processes that share one port; this one serves nothing itself. A worker that dies is replaced; when this
 * process ends, its workers are told to drain, and they end on their own should it be killed.
 */
export function startWorkers(config: GatewayConfig): void {
  const { logLevel: level, isProduction, gateway } = config;
  const logger = createLogger({ process: 'gateway', level, isProduction });
  const { observe } = logger;
  let isEnding = false;
  let hasAnnounced = false;
  // Workers watch this process by the cluster's own channel, not whoever started this one.
  const slots = new Map<number, string>();
  const fork = (slot: string): void => {
    slots.set(cluster.fork({ [PARENT_WATCH_VARIABLE]: '' }).id, slot);
  };
  collectWorkerMetrics(({ id }) => slots.get(id) ?? '');
  // Handing connections over one by one, the default, leaves a client without an answer for ever whose connection was on its way to a
  // worker that died. Workers that accept for themselves leave it in the queue for the others.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  for (let slot = 1; slot <= gateway.workers; slot++) fork(String(slot));

  cluster.on('listening', (_worker, { port }) => {
    if (hasAnnounced) return;
    hasAnnounced = true;
    announceListening(port);
  });
  cluster.on('exit', ({ id }, code, signal) => {
    if (isEnding) return;
    const slot = slots.get(id) ?? '';
    slots.delete(id);
    observe({
      kind: 'process-failed',
      process: `gateway-${id}`,
      cause: new Error(`ended with ${signal ?? `status ${code}`}`),
    });
    // Before any worker could listen there is no point in trying again: the port is taken, or the configuration is wrong.
    if (!hasAnnounced && code !== 0) void shutdown('a worker could not start');
    else void sleep(RESTART_DELAY_MS).then(() => (isEnding ? undefined : fork(slot)));
  });

  const end = installShutdown({
    process: 'gateway',
    observe,
    // The workers bound their own draining; this is for one that does not end at all.
    timeoutMs: gateway.drainTimeoutMs + 3_000,
    steps: [
      { name: 'workers', run: endWorkers },
      { name: 'log', run: async () => logger.flush() },
    ],
    host: {
      on: (event, listener) => process.on(event, listener),
      // Nothing was ever served: that is no orderly end, however orderly it went.
      exit: (status) => process.exit(hasAnnounced || status !== 0 ? status : 1),
    },
  });
  async function shutdown(reason: string): Promise<void> {
    isEnding = true;
    await end(reason);
  }
  async function endWorkers(signal: AbortSignal): Promise<void> {
    isEnding = true;
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    signal.addEventListener('abort', () => {
      for (const worker of workers) worker.process.kill('SIGKILL');
    });
    await Promise.all(workers.map(endWorker));
  }
  watchParent(() => void shutdown('the parent process has gone'));
}

function endWorker(worker: Worker): Promise<void> {
  if (worker.isDead()) return Promise.resolve();
  return new Promise((resolve) => {
    worker.once('exit', () => resolve());
    worker.process.kill('SIGTERM');
  });
}
