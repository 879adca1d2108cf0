import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../gateway/platform/config.ts';
import { createLogger } from '../gateway/platform/logger.ts';
import { announceListening, watchParent } from '../gateway/platform/parent-watch.ts';
import { installShutdown } from '../gateway/platform/shutdown.ts';
import { bootstrap } from './bootstrap.ts';
import { superviseChild } from './supervise.ts';

const PROCESS = 'admin-worker';
/** The children have their own, shorter deadline; this one is for those that do not keep it. */
const EXTRA_STOP_MS = 3_000;

/** Entry of the admin worker: brings the databases up to date, then keeps `api` and `runner` running. */
async function main(): Promise<void> {
  const startedAt = performance.now();
  const config = await readConfig();
  const logger = createLogger({
    process: PROCESS,
    level: config.logLevel,
    isProduction: config.isProduction,
  });
  const { observe } = logger;
  try {
    await bootstrap(config);
  } catch (error) {
    process.stderr.write(
      `The control database could not be prepared: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    process.exit(1);
  }

  let hopelessStatus: number | undefined;
  const onExit =
    (name: string) => (exit: { status: number | null; signal: string | null; willRestart: boolean }) => {
      observe({
        kind: 'process-failed',
        process: name,
        cause: new Error(
          `ended with ${exit.signal ?? `status ${exit.status}`}${exit.willRestart ? ', starting it again' : ''}`,
        ),
      });
      if (exit.willRestart) return;
      // The child has said what is wrong; the other one alone is no admin worker.
      hopelessStatus = exit.status ?? 1;
      void shutdown(`${name} cannot run`);
    };
  const api = superviseChild({
    name: 'admin-api',
    modulePath: siblingModule('./api/main'),
    // Only the runner reaches the container engine.
    without: [
      'CONTAINER_ENGINE',
      'PHANTOM_KEY',
      'PHANTOM_KEY_FILE',
      'ARCHIVE_SIGNING_KEY',
      'ARCHIVE_SIGNING_KEY_FILE',
    ],
    onExit: onExit('admin-api'),
    onListening: (port) => {
      announceListening(port);
      observe({ kind: 'process-started', process: PROCESS, port, durationMs: performance.now() - startedAt });
    },
  });
  const runner = superviseChild({
    name: 'admin-runner',
    modulePath: siblingModule('./runner/main'),
    // It moves bytes and makes few objects: the default lets 48 MB of those pile up. Bytes outside of the heap count as growth of the heap, which by default is looked through as a whole
    // when it has grown by half: a tenth of an export's time.
    nodeOptions: ['--max-semi-space-size=4', '--heap-growing-percent=100'],
    // Large memory goes back to the system when it is not needed. By default glibc keeps more and more of it (its threshold grows), 10 MB with each export.
    environment: { MALLOC_MMAP_THRESHOLD_: String(128 * 1024) },
    onExit: onExit('admin-runner'),
  });
  const shutdown = installShutdown({
    process: PROCESS,
    observe,
    timeoutMs: config.admin.drainTimeoutMs + EXTRA_STOP_MS,
    steps: [
      {
        name: 'children',
        run: async (signal) => {
          const kill = AbortSignal.any([
            signal,
            AbortSignal.timeout(config.admin.drainTimeoutMs + EXTRA_STOP_MS / 2),
          ]);
          await Promise.all([api.stop(kill), runner.stop(kill)]);
        },
      },
      { name: 'log', run: async () => logger.flush() },
    ],
    host: {
      on: (event, listener) => process.on(event, listener),
      exit: (status) => process.exit(hopelessStatus ?? status),
    },
  });
  watchParent(() => void shutdown('the parent process has gone'));
}

/** The file beside this one, as source or as emitted JavaScript. */
function siblingModule(path: string): string {
  return fileURLToPath(new URL(`${path}${extname(import.meta.url)}`, import.meta.url));
}

await main();
