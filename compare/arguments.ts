import { parseArgs } from 'node:util';

export interface CompareArguments {
  /** Of the requests put together at random. */
  readonly seed: number;
  /** How many of those. */
  readonly mixed: number;
  /** Only requests whose name holds this text. */
  readonly only: string;
  /** Known difference whose pairs are printed too. */
  readonly show: string | undefined;
}

export const USAGE = `npm run compare -- [options]
  --seed N       seed of the mixed requests (default 1)
  --mixed N      how many of them (default 1000)
  --only TEXT    requests whose name holds TEXT
  --show ID      print what the known difference ID explains, too`;

/** @throws {Error} with a sentence for whoever typed the arguments */
export function readArguments(args: readonly string[]): CompareArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string', default: '1' },
      mixed: { type: 'string', default: '1000' },
      only: { type: 'string', default: '' },
      show: { type: 'string' },
    },
  });
  const { only, show } = values;
  return {
    seed: wholeNumber('--seed', values.seed),
    mixed: wholeNumber('--mixed', values.mixed),
    only,
    show,
  };
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`${option} must be a whole number.\n${USAGE}`);
  return value;
}
