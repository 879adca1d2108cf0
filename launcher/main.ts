import { readLauncherConfig } from '../gateway/platform/config.ts';
import { Launch } from './launch.ts';
import { SetupError } from './setup-error.ts';

/** One Ctrl-C arrives twice under npm: from the terminal, and passed on by npm. */
const REPEATED_SIGNAL_MS = 500;
const PARENT_POLL_MS = 500;

const config = await readLauncherConfig();
const launch = new Launch(config);
let stoppingSince: number | undefined;

function stopOnSignal(signal: NodeJS.Signals): void {
  if (stoppingSince === undefined) {
    stoppingSince = performance.now();
    launch.requestStop(signal);
  } else if (performance.now() - stoppingSince > REPEATED_SIGNAL_MS) {
    process.exit(1); // The children notice and end by themselves.
  }
}

process.on('SIGINT', stopOnSignal);
process.on('SIGTERM', stopOnSignal);
process.on('SIGHUP', stopOnSignal);

// npm starts its script through a shell, and some shells do not pass a SIGTERM on to what they run.
if (process.env.npm_lifecycle_event !== undefined) {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) launch.requestStop('npm has ended');
  }, PARENT_POLL_MS).unref();
}

try {
  process.exitCode = await launch.run();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = error.exitCode;
}
process.exit();
