import { parseArgs } from 'node:util';
import { SCENARIOS, type Scenario } from './scenarios.ts';

export const TARGET_NAMES = ['floor', 'gateway', 'gateway-sealed', 'gateway-pgbouncer', 'postgrest'] as const;
export type TargetName = (typeof TARGET_NAMES)[number];

export interface BenchArguments {
  readonly scenarios: readonly Scenario[];
  readonly targets: readonly TargetName[];
  /** Of each measurement. */
  readonly seconds: number;
  /** Each round measures every target once. */
  readonly rounds: number;
  /** Added to every round trip between the targets and PostgreSQL. */
  readonly delayMs: number;
  /** Client connections at once. */
  readonly connections: number;
  readonly isJson: boolean;
}

export const USAGE = `npm run bench -- [options]
  --scenario NAME    one of ${SCENARIOS.map(({ name }) => name).join(', ')}, or all (default: row-by-key); may be repeated
  --target NAME      one of ${TARGET_NAMES.join(', ')} (default: all); may be repeated
  --seconds N        length of each measurement (default 5)
  --rounds N         interleaved rounds (default 3)
  --connections N    client connections (default 32)
  --delay-ms N       network between targets and PostgreSQL: added to each round trip (default 0)
  --json             print JSON instead of a table`;

/** @throws {Error} with a sentence for whoever typed the arguments */
export function readArguments(args: readonly string[]): BenchArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: 'string', multiple: true, default: ['row-by-key'] },
      target: { type: 'string', multiple: true, default: [...TARGET_NAMES] },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '32' },
      'delay-ms': { type: 'string', default: '0' },
      json: { type: 'boolean', default: false },
    },
  });
  return {
    scenarios: values.scenario.flatMap(findScenarios),
    targets: values.target.map(findTarget),
    seconds: positive('--seconds', values.seconds),
    rounds: positive('--rounds', values.rounds),
    connections: positive('--connections', values.connections),
    delayMs: wholeNumber('--delay-ms', values['delay-ms']),
    isJson: values.json,
  };
}

function findScenarios(name: string): readonly Scenario[] {
  if (name === 'all') return SCENARIOS;
  const scenario = SCENARIOS.find((candidate) => candidate.name === name);
  if (scenario === undefined) throw new Error(`There is no scenario ${name}.\n${USAGE}`);
  return [scenario];
}

function findTarget(name: string): TargetName {
  const target = TARGET_NAMES.find((candidate) => candidate === name);
  if (target === undefined) throw new Error(`There is no target ${name}.\n${USAGE}`);
  return target;
}

function positive(option: string, text: string): number {
  const value = wholeNumber(option, text);
  if (value === 0) throw new Error(`${option} must be a positive whole number.\n${USAGE}`);
  return value;
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${option} must be a whole number.\n${USAGE}`);
  return Number(text);
}
