import { execFile } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readArguments } from './arguments.ts';
import { startDatabase } from './database.ts';
import { chooseLoadGenerator, type LoadResult } from './load.ts';
import { probe } from './probe.ts';
import { alignColumns } from './report.ts';
import type { Scenario } from './scenarios.ts';
import { makeScratch } from './scratch.ts';
import { startFloor, startGateways, type Target } from './targets.ts';

/**
 * What a request takes, counted instead of timed: instructions of the server's main thread outside of the kernel, and how often it finds what it needs neither in
 * the first nor in the second of a processor's caches. Other work on the machine changes the counts little, and only upwards, so small differences between two versions show. Slow:
 * callgrind simulates the processor at a fiftieth of its speed.
 *
 * `npm run bench:instructions -- [--scenario NAME]`, one after the other; needs `valgrind` and `wrk`.
 */

const SECONDS = 20;
/** Other things only ever add: a compiler at work, a collection, turns of the event loop with little to do. So the round with the fewest instructions counts. */
const MAX_ROUNDS = 40;
/** It stands when so many rounds in a row have not made it less by this part. */
const ROUNDS_WITHOUT_LESS = 6;
const LESS = 0.01;
const CONNECTIONS = 32;

/** The caches of one core of a current server processor: 32 kB each for code and data, 1 MB behind them. */
const CACHES = ['--cache-sim=yes', '--I1=32768,8,64', '--D1=32768,8,64', '--LL=1048576,16,64'];

const EVENTS = ['Ir', 'I1mr', 'D1mr', 'D1mw', 'ILmr', 'DLmr', 'DLmw'] as const;
type Counts = Readonly<Record<(typeof EVENTS)[number], number>>;

const run = promisify(execFile);

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Counts of the main thread so far. @throws {Error} when callgrind answers something else */
async function countsOf(pid: number): Promise<Counts> {
  const { stdout } = await run('callgrind_control', ['-e', String(pid)]);
  const lines = stdout.split('\n');
  const names = /Totals:\s+(.+)/
    .exec(lines.find((line) => line.includes('Totals:')) ?? '')?.[1]
    ?.split(/\s+/);
  const values = /Th 1\s+(.+)/.exec(lines.find((line) => /^\s+Th 1\s/.test(line)) ?? '')?.[1]?.split(/\s+/);
  if (names === undefined || values === undefined) throw new Error(`callgrind says:\n${stdout}`);
  const count = (name: string) => Number(values[names.indexOf(name)]?.replaceAll(',', ''));
  return Object.fromEntries(EVENTS.map((name) => [name, count(name)])) as Counts;
}

type Put = (target: Target) => Promise<LoadResult>;

/** What the target's main thread does for each request of one round of load. */
async function count(target: Target, put: Put): Promise<Counts> {
  const before = await countsOf(target.pid);
  const { requests } = await put(target);
  const after = await countsOf(target.pid);
  return Object.fromEntries(EVENTS.map((name) => [name, (after[name] - before[name]) / requests])) as Counts;
}

/** What a request takes. */
async function leastCount(target: Target, put: Put): Promise<Counts> {
  let least: Counts | undefined;
  let roundsWithoutLess = 0;
  for (let round = 1; round <= MAX_ROUNDS && roundsWithoutLess < ROUNDS_WITHOUT_LESS; round++) {
    const each = await count(target, put);
    say(`${target.name}, round ${round}: ${each.Ir.toFixed(0)} instructions a request`);
    const isLess = least === undefined || each.Ir < least.Ir * (1 - LESS);
    roundsWithoutLess = isLess ? 0 : roundsWithoutLess + 1;
    if (least === undefined || each.Ir < least.Ir) least = each;
  }
  if (roundsWithoutLess < ROUNDS_WITHOUT_LESS) {
    say(`*** ${target.name} HAS NOT COME TO REST: ITS JIT COMPILER WAS STILL AT WORK ***`);
  }
  return least!;
}

async function measure(scenario: Scenario, directory: string): Promise<readonly string[][]> {
  const under = (name: string) => [
    'valgrind',
    '--tool=callgrind',
    // Code of the JIT compiler changes while it runs.
    '--smc-check=all-non-file',
    `--callgrind-out-file=${join(directory, name)}`,
    ...CACHES,
  ];
  const database = await startDatabase(0);
  const targets: Target[] = [];
  try {
    const { targets: gateways } = await startGateways(database, {
      withPgBouncer: false,
      under: under('gateway'),
    });
    targets.push(gateways[0]!);
    await database.runShared('VACUUM ANALYZE');
    targets.unshift(await startFloor(database, scenario, { under: under('floor') }));
    const load = await chooseLoadGenerator();
    const put = (target: Target) =>
      load.generate({
        target,
        scenario,
        seconds: SECONDS,
        connections: CONNECTIONS,
        directory: join(directory, `load-${target.name}`),
      });
    for (const target of targets) {
      await mkdir(join(directory, `load-${target.name}`), { recursive: true });
      await probe(target, scenario);
    }
    // Both at once: each has a core, and callgrind a thread.
    return await Promise.all(
      targets.map(async (target) => {
        const each = await leastCount(target, put);
        const sum = (...names: (keyof Counts)[]) =>
          names.reduce((total, name) => total + each[name], 0).toFixed(0);
        return [
          ...[scenario.name, target.name, sum('Ir'), sum('I1mr'), sum('D1mr', 'D1mw')],
          ...[sum('ILmr'), sum('DLmr'), sum('DLmw')],
        ];
      }),
    );
  } finally {
    for (const target of targets) await target.stop();
    await database.stop();
  }
}

async function main(): Promise<void> {
  const { scenarios } = readArguments(process.argv.slice(2));
  const directory = await makeScratch('cascata-callgrind-');
  try {
    const header = [
      ...['scenario', 'target', 'instructions', 'code not in L1', 'data not in L1'],
      ...['code not in L2', 'data not in L2', 'written, not in L2'],
    ];
    const rows: string[][] = [];
    for (const scenario of scenarios) rows.push(...(await measure(scenario, directory)));
    process.stdout.write(`${alignColumns([header, ...rows]).join('\n')}\n`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
try {
  await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
