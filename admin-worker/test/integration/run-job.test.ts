import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Observation } from '../../../gateway/platform/observation.ts';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { withClient } from '../../connections.ts';
import { migrateControlSchema } from '../../control-migrations.ts';
import { type JobDefinition, JobError, type JobStep } from '../../jobs/job.ts';
import { findJob, readJobEvents } from '../../jobs/job-store.ts';
import { runJob } from '../../runner/run-job.ts';

let database: TestDatabase;
let control: pg.Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  await withClient({ url: new Secret(database.url), applicationName: 'test' }, migrateControlSchema);
  control = new pg.Pool({ connectionString: database.url, max: 4 });
});
afterAll(async () => {
  await control.end();
  await database.drop();
});

type Step = JobStep<{ n: number }, string[], { sum: number }>;

function aJob(steps: readonly Step[]): JobDefinition<{ n: number }, string[], { sum: number }> {
  return {
    name: 'test',
    payload: z.object({ n: z.number() }),
    initialState: () => ({ sum: 0 }),
    steps,
    async rollBack(_, { services }) {
      services.push('rolled back');
    },
    result: ({ sum }) => ({ sum }),
  };
}

async function run(
  steps: readonly Step[],
  changes: { data?: unknown; isLastAttempt?: boolean; cancelled?: AbortSignal; stopped?: AbortSignal } = {},
) {
  const id = randomUUID();
  await control.query(`INSERT INTO control.jobs (id, name) VALUES ($1, 'test')`, [id]);
  const log: string[] = [];
  const observations: Observation[] = [];
  const never = new AbortController().signal;
  const error = await runJob({
    definition: aJob(steps),
    services: log,
    control,
    observe: (observation) => void observations.push(observation),
    job: { id, data: changes.data ?? { n: 2 }, isLastAttempt: changes.isLastAttempt ?? false },
    cancelled: changes.cancelled ?? never,
    stopped: changes.stopped ?? never,
  }).catch((caught: unknown) => caught);
  return { id, log, error, observations, job: (await findJob(control, id))! };
}

const add: Step = {
  name: 'add',
  async run(_, { payload, state }) {
    state.sum += payload.n;
  },
};

test('steps run in order, weigh on the progress, and hand on what they found', async () => {
  const halfway: Step = { name: 'long', weight: 3, run: (context) => context.progress(0.5, 'halfway') };
  const { id, job } = await run([add, halfway, add]);
  expect(job).toMatchObject({ state: 'completed', progress: 100, result: { sum: 4 }, error: null });
  const events = await readJobEvents(control, id, '0');
  expect(events.map(({ state, progress, step }) => [state, progress, step])).toEqual([
    ['queued', 0, null],
    ['active', 0, null],
    ['active', 0, 'add'],
    ['active', 20, 'long'],
    ['active', 50, 'long'],
    ['active', 80, 'add'],
    ['completed', 100, 'add'],
  ]);
});

test('a failure the job knows ends it, with its words, after undoing what was done', async () => {
  const fail: Step = {
    name: 'fail',
    run: () => Promise.reject(new JobError('The disk is full', { code: '53100', hint: 'Buy another one' })),
  };
  const { job, log, error } = await run([add, fail]);
  expect(error).toBeUndefined();
  expect(log).toEqual(['rolled back']);
  expect(job).toMatchObject({
    state: 'failed',
    error: { message: 'The disk is full', code: '53100', hint: 'Buy another one' },
  });
});

test('an unexpected failure is left to another attempt, and told without its text after the last', async () => {
  const fail: Step = { name: 'fail', run: () => Promise.reject(new Error('password=hunter2')) };
  const first = await run([fail]);
  expect([first.error, first.job.state, first.log]).toEqual([expect.any(Error), 'active', []]);
  const last = await run([fail], { isLastAttempt: true });
  expect(last.job.state).toBe('failed');
  expect(JSON.stringify(last.job)).not.toContain('hunter2');
  expect(last.observations.at(-1)).toMatchObject({
    kind: 'job-changed',
    state: 'failed',
    cause: expect.any(Error),
  });
});

test('a cancelled job is undone and ends as cancelled; one that is cut off by the end of the process is not', async () => {
  const wait: Step = { name: 'wait', run: async ({ signal }) => signal.throwIfAborted() };
  const aborted = AbortSignal.abort(new Error('now'));
  const cancelled = await run([wait], { cancelled: aborted });
  expect([cancelled.job.state, cancelled.log]).toEqual(['cancelled', ['rolled back']]);
  const stopped = await run([wait], { stopped: aborted });
  expect([stopped.job.state, stopped.log]).toEqual(['active', []]);
});

test('a payload that is not right fails at once', async () => {
  const { job } = await run([add], { data: { n: 'two' } });
  expect(job.state).toBe('failed');
});
