import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { RESTING_KILL_POINTS } from '../../support/kill-points.ts';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

test('a process that has scheduled jobs rest or go on is killed at each of its statements', () => {
  const source = read('tenants/resting-jobs.ts') + read('provision/cron-jobs.ts');
  const body = (name: string) => new RegExp(`function ${name}\\([^]*?\\n}`).exec(source)?.[0] ?? '';
  const written = (name: string) =>
    [...body(name).matchAll(/(INSERT INTO|UPDATE|DELETE FROM) ([a-z_.]+)/g)].map(([text]) => text);
  const told = written('setCronJobsActive');
  expect(told).toEqual(['UPDATE cron.job']);
  const { suspend, freeze, activate, unfreeze } = RESTING_KILL_POINTS;
  const after = (points: readonly string[]) =>
    points.filter((point) => point.startsWith('after ')).map((point) => point.slice('after '.length));
  expect(new Set(after([...suspend, ...freeze]))).toEqual(new Set([...written('pause'), ...told]));
  expect(new Set(after([...activate, ...unfreeze]))).toEqual(new Set([...written('resume'), ...told]));
  // And before the first of them, when the tenant's status has changed and nothing else.
  expect([suspend[0], activate[0]]).toEqual([`before ${written('pause')[0]}`, `before ${told[0]}`]);
});
