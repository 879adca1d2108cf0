import { readConfig } from '../../gateway/platform/config.ts';
import { createLogger } from '../../gateway/platform/logger.ts';
import { watchParent } from '../../gateway/platform/parent-watch.ts';
import { installShutdown } from '../../gateway/platform/shutdown.ts';
import { startJobRunner } from './job-runner.ts';

const PROCESS = 'admin-runner';

/** Entry of the runner's process. `admin-worker/main.ts` has made the control schema before it starts this one. */
async function main(): Promise<void> {
  const startedAt = performance.now();
  const config = await readConfig();
  const logger = createLogger({
    process: PROCESS,
    level: config.logLevel,
    isProduction: config.isProduction,
  });
  const { observe } = logger;
  const runner = await startJobRunner({ ...config, observe });
  const shutdown = installShutdown({
    process: PROCESS,
    observe,
    timeoutMs: config.admin.drainTimeoutMs,
    steps: [
      { name: 'jobs', run: (signal) => runner.stop(signal) },
      { name: 'log', run: async () => logger.flush() },
    ],
  });
  watchParent(() => void shutdown('the parent process has gone'));
  process.send?.({ kind: 'ready' });
  observe({ kind: 'process-started', process: PROCESS, durationMs: performance.now() - startedAt });
}

await main();
