import { readConfig } from '../../gateway/platform/config.ts';
import { createLogger } from '../../gateway/platform/logger.ts';
import type { Observe } from '../../gateway/platform/observation.ts';
import { combineObservers } from '../../gateway/platform/observer.ts';
import { announceReady, watchParent } from '../../gateway/platform/parent-watch.ts';
import { installShutdown } from '../../gateway/platform/shutdown.ts';
import { openPhantom } from '../containers/open-phantom.ts';
import type { PhantomServices } from '../containers/phantom-services.ts';
import type { AnyJobDefinition } from '../jobs/job.ts';
import { startJobRunner } from './job-runner.ts';

const PROCESS = 'admin-runner';

export interface RunnerProcessOptions {
  readonly definitions: readonly AnyJobDefinition[];
  /** Hears everything that the log does. */
  readonly observe?: Observe;
  /** Default: the one every installation has. */
  readonly sharedDatabase?: string;
  /** Default: what the configuration says. */
  readonly phantom?: PhantomServices;
}

/** A runner as a process: configuration, log, and an orderly end. `admin-worker/main.ts` has made the control schema before. */
export async function runRunnerProcess({
  definitions,
  observe: alsoObserve,
  ...options
}: RunnerProcessOptions): Promise<void> {
  const startedAt = performance.now();
  const config = await readConfig();
  const logger = createLogger({
    process: PROCESS,
    level: config.logLevel,
    isProduction: config.isProduction,
  });
  const observe = alsoObserve === undefined ? logger.observe : combineObservers(logger.observe, alsoObserve);
  const { jobRetentionDays, drainTimeoutMs } = config.admin;
  const phantom = options.phantom === undefined ? await openPhantom(config) : {};
  const runner = await startJobRunner({
    ...config,
    ...options,
    observe,
    definitions,
    jobRetentionDays,
    ...phantom,
  });
  const shutdown = installShutdown({
    process: PROCESS,
    observe,
    timeoutMs: drainTimeoutMs,
    steps: [
      { name: 'jobs', run: (signal) => runner.stop(signal) },
      { name: 'log', run: async () => logger.flush() },
    ],
  });
  watchParent(() => void shutdown('the parent process has gone'));
  announceReady();
  observe({ kind: 'process-started', process: PROCESS, durationMs: performance.now() - startedAt });
}
