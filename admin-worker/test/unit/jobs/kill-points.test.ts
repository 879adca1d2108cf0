import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { JOB_DEFINITIONS } from '../../../runner/job-definitions.ts';
import { KILL_POINTS } from '../../support/kill-points.ts';

const ROOT = new URL('../../../..', import.meta.url).pathname;
/** `step-run a`, `undo-begun a`, `after COMMIT [a]`. */
const POINT =
  /^(?:(step|undo)-(?:begun|run|kept) (.+)|(?:before|after|engine \w+) .+ \[(.+)\]|engine \w+ \d+ \[(.+)\])$/;

interface Killed {
  /** Steps with a point in them, and those whose undoing has one. */
  readonly run: ReadonlySet<string>;
  readonly undo: ReadonlySet<string>;
}

const lists = new Map<string, Readonly<Record<string, readonly string[]>>>(Object.entries(KILL_POINTS));

function killedIn(kind: string): Killed {
  const run = new Set<string>();
  const undo = new Set<string>();
  for (const [name, points] of Object.entries(lists.get(kind) ?? {})) {
    // Those are of `npm run test:caf-kills` alone.
    if (/^all/.test(name)) continue;
    for (const point of points) {
      const [, when, step, ...inside] = POINT.exec(point) ?? [];
      const at = step ?? inside.find((found) => found !== undefined);
      if (at === undefined) throw new Error(`'${point}' of ${kind} does not say which step it is in`);
      const isUndo = when === undefined ? /undone$/i.test(name) : when === 'undo';
      (isUndo ? undo : run).add(at);
    }
  }
  return { run, undo };
}

test('the runner is killed in every step of every kind of job, and in undoing each that can be undone', () => {
  expect([...lists.keys()].toSorted()).toEqual(JOB_DEFINITIONS.map(({ kind }) => kind.name).toSorted());
  for (const { kind, steps } of JOB_DEFINITIONS) {
    const { run, undo } = killedIn(kind.name);
    expect([kind.name, 'run', [...run].toSorted()]).toEqual([
      kind.name,
      'run',
      steps.map(({ name }) => name).toSorted(),
    ]);
    expect([kind.name, 'undo', [...undo].toSorted()]).toEqual([
      kind.name,
      'undo',
      steps
        .filter((step) => step.undo !== undefined)
        .map(({ name }) => name)
        .toSorted(),
    ]);
  }
});

test('every list of points is used by a test', () => {
  const files = globSync('{admin-worker/,}test/integration/*-kills.test.ts', { cwd: ROOT });
  const sources = files.map((file) => readFileSync(`${ROOT}/${file}`, 'utf8')).join('\n');
  const used = new Set(sources.match(/(?:KILL_POINTS\['[\w-]+'\]|\w+)\.\w+/g));
  const unused = [...lists].flatMap(([kind, byName]) => {
    // `KILL_POINTS['kind'].name`, or taken out of what a constant or a pattern has got from it.
    const named = `KILL_POINTS['${kind}']`;
    const aliases = [...sources.matchAll(/const (\w+) = KILL_POINTS\['([\w-]+)'\];/g)]
      .filter(([, , of]) => of === kind)
      .map(([, alias]) => `${alias}.`);
    const taken = [...sources.matchAll(/const \{([^}]+)\} = KILL_POINTS\['([\w-]+)'\];/g)]
      .filter(([, , of]) => of === kind)
      .flatMap(([, names = '']) => names.split(',').map((name) => name.split(':')[0]?.trim()));
    return Object.keys(byName)
      .filter((name) => ![`${named}.`, ...aliases].some((start) => used.has(start + name)))
      .filter((name) => !taken.includes(name))
      .map((name) => `${named}.${name}`);
  });
  expect(unused).toEqual([]);
});
