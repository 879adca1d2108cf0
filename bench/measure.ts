import type { BenchArguments } from './arguments.ts';
import { treeCpuUs } from './cpu.ts';
import type { BenchDatabase } from './database.ts';
import type { LoadGenerator, LoadResult } from './load.ts';
import { probe } from './probe.ts';
import type { Measurement } from './report.ts';
import type { Scenario } from './scenarios.ts';
import type { Target } from './targets.ts';

/**
 * Until the JIT has seen enough. The gateway has three times the floor's code, and its compiler comes back to it: of other threads' CPU each request took 5 to
 * 40 µs in the first 8 s, 1 until a wave of recompiling after 14 to 20 s, and half a one from then on (docs/performance.md). Servers that need none lose nothing by it.
 */
const WARM_UP_SECONDS = 30;

interface Sample extends LoadResult {
  readonly serverCpuUs: number;
  readonly poolerCpuUs: number;
  readonly postgresCpuUs: number;
}

/**
 * Measures the targets one after the other, round by round, so that whatever else the machine does falls on all of them. Only one is
 * under load at a time: PostgreSQL's CPU time in a sample belongs to it.
 *
 * @param say told of what is being done
 */
export async function measureScenario(
  scenario: Scenario,
  targets: readonly Target[],
  context: {
    readonly database: BenchDatabase;
    readonly generate: LoadGenerator;
    readonly options: BenchArguments;
    readonly say: (line: string) => void;
  },
): Promise<readonly Measurement[]> {
  const { database, generate, options, say } = context;
  const load = (target: Target, seconds: number) =>
    generate({ target, scenario, seconds, connections: options.connections, directory: database.directory });
  const samples = new Map<Target, Sample[]>(targets.map((target) => [target, []]));
  for (const target of targets) {
    await probe(target, scenario);
    await load(target, scenario.warmUpSeconds ?? WARM_UP_SECONDS);
  }
  for (let round = 1; round <= options.rounds; round++) {
    for (const [target, taken] of samples) {
      const poolerUs = () => (target.poolerPid === undefined ? 0 : treeCpuUs(target.poolerPid));
      const [serverBeforeUs, poolerBeforeUs, postgresBeforeUs] = [
        treeCpuUs(target.pid),
        poolerUs(),
        treeCpuUs(database.pid),
      ];
      const result = await load(target, options.seconds);
      const sample = {
        ...result,
        serverCpuUs: treeCpuUs(target.pid) - serverBeforeUs,
        poolerCpuUs: poolerUs() - poolerBeforeUs,
        postgresCpuUs: treeCpuUs(database.pid) - postgresBeforeUs,
      };
      taken.push(sample);
      say(
        `${scenario.name}, round ${round}: ${target.name} ${(sample.requests / sample.seconds).toFixed(0)} requests/s`,
      );
    }
  }
  return [...samples].map(([target, taken]) => summarise(scenario, target, taken));
}

function summarise(scenario: Scenario, target: Target, samples: readonly Sample[]): Measurement {
  // Medians: one round with somebody else's work in it says nothing of the target.
  const typical = (pick: (sample: Sample) => number) => median(samples.map(pick));
  return {
    scenario: scenario.name,
    target: target.name,
    requestsPerSecond: typical(({ requests, seconds }) => requests / seconds),
    p50Ms: typical(({ p50Ms }) => p50Ms),
    p99Ms: typical(({ p99Ms }) => p99Ms),
    serverCpuUs: typical(({ serverCpuUs, requests }) => serverCpuUs / requests),
    poolerCpuUs: typical(({ poolerCpuUs, requests }) => poolerCpuUs / requests),
    postgresCpuUs: typical(({ postgresCpuUs, requests }) => postgresCpuUs / requests),
    failures: samples.reduce((total, { failures }) => total + failures, 0),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = 0, high = low] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}
