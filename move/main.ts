import { AdminClient } from './admin-client.ts';
import { checkMove } from './check-move.ts';
import type { Journey } from './journey.ts';
import { EXIT, MoveError } from './move-error.ts';
import { type MoveOptions, readMoveOptions, USAGE } from './move-options.ts';
import { moveTenant, undoMove } from './move-tenant.ts';
import { createReport } from './report.ts';

/** One Ctrl-C arrives twice under npm: from the terminal, and passed on by npm. */
const REPEATED_SIGNAL_MS = 500;

async function run(options: MoveOptions, signal: AbortSignal): Promise<void> {
  const { from, to, fromToken, toToken } = options;
  const report = createReport((text) => void process.stdout.write(text));
  const journey: Journey = {
    options,
    from: new AdminClient({ origin: from, token: fromToken, tokenName: 'CASCATA_FROM_TOKEN', signal }),
    to: new AdminClient({ origin: to, token: toToken, tokenName: 'CASCATA_TO_TOKEN', signal }),
    report,
    signal,
  };
  if (options.isCheck) await checkMove(journey);
  else await (options.isUndo ? undoMove(journey) : moveTenant(journey));
}

/** @returns exit status */
async function main(): Promise<number> {
  const interrupted = new AbortController();
  let interruptedAtMs: number | undefined;
  const onSignal = (): void => {
    if (interruptedAtMs === undefined) {
      interruptedAtMs = performance.now();
      process.stderr.write('stopping; a moment\n');
      interrupted.abort();
    } else if (performance.now() - interruptedAtMs > REPEATED_SIGNAL_MS) process.exit(EXIT.interrupted);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    const options = readMoveOptions(process.argv.slice(2), process.env);
    if (options === undefined) process.stdout.write(USAGE);
    else await run(options, interrupted.signal);
    return EXIT.done;
  } catch (error) {
    if (interrupted.signal.aborted) {
      process.stderr.write('interrupted; run this again to go on, or with --undo to take it back\n');
      return EXIT.interrupted;
    }
    if (!(error instanceof MoveError)) throw error;
    process.stderr.write(`${error.message}\n${error.hint === undefined ? '' : `  ${error.hint}\n`}`);
    if (error.exitCode === EXIT.usage) process.stderr.write(`\n${USAGE}`);
    return error.exitCode;
  }
}

process.exit(await main());
