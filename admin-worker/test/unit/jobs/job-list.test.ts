import { expect, test } from 'vitest';
import { limitsOf } from '../../../jobs/job-kind.ts';
import { JOB_KINDS } from '../../../jobs/job-list.ts';
import { JOB_DEFINITIONS } from '../../../runner/job-definitions.ts';

test('every kind that can be asked for is worked on, and the other way round', () => {
  expect(JOB_DEFINITIONS.map(({ kind }) => kind)).toEqual(JOB_KINDS);
});

test('names of kinds and of steps are unique, since both are kept with jobs', () => {
  for (const names of [
    JOB_KINDS.map(({ name }) => name),
    ...JOB_DEFINITIONS.map(({ steps }) => steps.map(({ name }) => name)),
  ]) {
    expect(new Set(names).size).toBe(names.length);
  }
});

test('every state can begin with nothing, and every deadline is one the queue keeps', () => {
  for (const { kind, state } of JOB_DEFINITIONS) {
    expect(state.safeParse({}).success).toBe(true);
    expect(limitsOf(kind).deadlineSeconds).toBeLessThanOrEqual(23 * 3_600);
  }
});
