import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Observation } from '../../../gateway/platform/observation.ts';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { withClient } from '../../connections.ts';
import { migrateControlSchema } from '../../control-migrations.ts';
import { type JobDefinition, JobError, type JobStep, LeaseLostError } from '../../jobs/job.ts';
import type { JobKind } from '../../jobs/job-kind.ts';
import { claimJob } from '../../jobs/job-lease.ts';
import { readJobLog } from '../../jobs/job-log.ts';
import { findJob, readJobEvents } from '../../jobs/job-store.ts';
import { openAdminServices } from '../../open-services.ts';
import { type RunJobOptions, runJob } from '../../runner/run-job.ts';

let database: TestDatabase;
let control: pg.Pool;
let services: ReturnType<typeof openAdminServices>;
const observations: Observation[] = [];
const observe = (observation: Observation) => void observations.push(observation);
beforeAll(async () => {
  database = await createTestDatabase();
  const controlDatabaseUrl = new Secret(database.url);
  await withClient({ url: controlDatabaseUrl, applicationName: 'test' }, migrateControlSchema);
  services = openAdminServices({ controlDatabaseUrl, masterKey: new Secret('k'), observe, process: 'test' });
  control = new pg.Pool({ connectionString: database.url, max: 4 });
});
afterAll(async () => {
  await control.end();
  await services.close();
  await database.drop();
});

type Payload = { n: number };
type State = { sum: number };
type Step = JobStep<Payload, State>;
const trace: string[] = [];

function aJob(steps: readonly Step[], kind: Partial<JobKind<Payload>> = {}): JobDefinition<Payload, State> {
  const [first, ...others] = steps;
  return {
    kind: { name: 'test', summary: 'A test', payload: z.object({ n: z.number() }), ...kind },
    state: z.object({ sum: z.number().default(0) }),
    steps: [first!, ...others],
    dryRun: async ({ payload }) => [`would add ${payload.n}`],
    result: ({ sum }) => ({ sum }),
  };
}

async function newJob(columns: { isDryRun?: boolean; key?: string } = {}): Promise<string> {
  const id = randomUUID();
  await control.query(
    `INSERT INTO control.jobs (id, name, is_dry_run, concurrency_key) VALUES ($1, 'test', $2, $3)`,
    [id, columns.isDryRun ?? false, columns.key ?? null],
  );
  return id;
}

interface RunChanges {
  readonly id?: string;
  readonly attempt?: number;
  readonly data?: unknown;
  readonly kind?: Partial<JobKind<Payload>>;
  readonly signals?: Partial<RunJobOptions['signals']>;
}

async function run(steps: readonly Step[], changes: RunChanges = {}) {
  const id = changes.id ?? (await newJob());
  trace.length = 0;
  const never = new AbortController().signal;
  const outcome = await runJob({
    definition: aJob(steps, changes.kind),
    services,
    observe,
    job: { id, data: changes.data ?? { n: 2 }, attempt: changes.attempt ?? 1 },
    signals: { cancelled: never, stopping: never, stopped: never, lost: never, ...changes.signals },
  });
  return { id, outcome, trace: [...trace], job: (await findJob(control, id))! };
}

/** A step that says what it does. */
function step(name: string, more: Partial<Step> = {}): Step {
  return {
    name,
    async run({ payload, state }) {
      trace.push(name);
      state.sum += payload.n;
    },
    async undo({ payload, state }) {
      trace.push(`undo ${name}`);
      state.sum -= payload.n;
    },
    ...more,
  };
}

const failing = (error: Error, name = 'fail') =>
  step(name, {
    async run() {
      trace.push(name);
      throw error;
    },
  });

describe('steps', () => {
  test('run in order, weigh on the progress, and hand on what they found', async () => {
    const halfway = step('long', { weight: 3, run: (context) => context.progress(0.5, 'halfway') });
    const { id, outcome, job } = await run([step('a'), halfway, step('b')]);
    expect(outcome).toBe('over');
    expect(job).toMatchObject({ state: 'completed', progress: 100, result: { sum: 4 }, error: null });
    expect(job.steps_done).toEqual(['a', 'long', 'b']);
    const events = await readJobEvents(control, id, '0');
    expect(events.map(({ state, progress, step: at }) => [state, progress, at])).toEqual([
      ['queued', 0, null],
      ['active', 0, null],
      ['active', 0, 'a'],
      ['active', 20, 'long'],
      ['active', 50, 'long'],
      ['active', 80, 'b'],
      ['completed', 100, 'b'],
    ]);
  });

  test('that are done are not run again, and the next run has what they found', async () => {
    const first = await run([step('a'), failing(new Error('the network'), 'b')]);
    expect([first.outcome, first.job.state, first.trace]).toEqual(['retry', 'active', ['a', 'b']]);
    const second = await run([step('a'), step('b')], { id: first.id, attempt: 2 });
    expect([second.outcome, second.trace]).toEqual(['over', ['b']]);
    expect(second.job).toMatchObject({ state: 'completed', result: { sum: 4 }, attempt: 2, failures: 1 });
  });

  test('keep what they found in the middle when they say so', async () => {
    const broken = step('copy', {
      async run(context) {
        context.state.sum = 10;
        await context.checkpoint();
        context.state.sum = 99;
        throw new Error('the network');
      },
    });
    const { id } = await run([broken]);
    const again = await run([step('copy')], { id, attempt: 2 });
    expect(again.job.result).toEqual({ sum: 12 });
  });

  test('write a log that can be read after the end, without passwords', async () => {
    const talking = step('talk', {
      async run({ log }) {
        log('connecting to postgres://admin:hunter2@db.example.com/x');
        log('slow\u0000 disk', 'warn');
      },
    });
    const { id } = await run([talking]);
    const lines = await readJobLog(control, id, { after: '0', limit: 100 });
    expect(lines.map(({ level, step: at, line }) => [level, at, line])).toEqual([
      ['info', 'talk', 'talk: begins'],
      ['info', 'talk', 'connecting to postgres://admin:[redacted]@db.example.com/x'],
      ['warn', 'talk', 'slow disk'],
      ['info', 'talk', 'talk: done'],
    ]);
  });
});

describe('failures', () => {
  test('a failure the job knows ends it, with its words, after undoing what was begun, the last first', async () => {
    const full = new JobError('The disk is full', { code: '53100', hint: 'Buy another one' });
    const { outcome, job, trace: done } = await run([step('a'), step('b'), failing(full, 'c'), step('d')]);
    expect(outcome).toBe('over');
    expect(done).toEqual(['a', 'b', 'c', 'undo c', 'undo b', 'undo a']);
    expect(job).toMatchObject({
      state: 'failed',
      steps_begun: [],
      error: { message: 'The disk is full', code: '53100', hint: 'Buy another one' },
    });
  });

  test('an unexpected failure is left to another attempt, and told without its text after the last', async () => {
    const fail = [failing(new Error('password=hunter2'))];
    const first = await run(fail, { kind: { retryLimit: 1 } });
    expect([first.outcome, first.job.state, first.trace]).toEqual(['retry', 'active', ['fail']]);
    const last = await run(fail, { id: first.id, attempt: 2, kind: { retryLimit: 1 } });
    expect([last.outcome, last.job.state, last.trace]).toEqual(['over', 'failed', ['fail', 'undo fail']]);
    expect(JSON.stringify(last.job)).not.toContain('hunter2');
    expect(observations.at(-1)).toMatchObject({
      kind: 'job-changed',
      state: 'failed',
      cause: expect.any(Error),
    });
  });

  test('an undo that fails is tried again; one that never works leaves a job that says so', async () => {
    let isBroken = true;
    const fragile = failing(new JobError('No'), 'a');
    fragile.undo = async () => {
      if (isBroken) throw new Error('the network');
    };
    const first = await run([fragile]);
    expect([first.outcome, first.job]).toMatchObject(['retry', { state: 'active', is_undoing: true }]);
    let last = first;
    for (let attempt = 2; last.outcome === 'retry'; attempt++)
      last = await run([fragile], { id: first.id, attempt });
    expect(last.job.error).toMatchObject({ message: 'No, and could not be undone' });
    expect(last.job.steps_begun).toEqual(['a']);
    const other = await run([fragile]);
    isBroken = false;
    const undone = await run([fragile], { id: other.id, attempt: 2 });
    expect(undone.job).toMatchObject({ state: 'failed', error: { message: 'No' }, steps_begun: [] });
  });

  test('a job whose runner dies again and again is given up and undone', async () => {
    const id = await newJob();
    const died = step('deadly', { run: () => Promise.reject(new LeaseLostError('as if killed')) });
    for (let attempt = 1; attempt <= 3; attempt++)
      await run([died], { id, attempt, kind: { retryLimit: 2 } });
    const { job, trace: done } = await run([died], { id, attempt: 4, kind: { retryLimit: 2 } });
    expect(done).toEqual(['undo deadly']);
    expect(job.error?.message).toBe('The job was given up: its runner died 3 times while it was at work');
  });

  test('a job that is late is undone and fails', async () => {
    const endless = step('endless', {
      run: ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    });
    const { job, trace: done } = await run([endless], { kind: { deadlineSeconds: 0.2 } });
    expect(done).toEqual(['undo endless']);
    expect(job).toMatchObject({ state: 'failed', error: { code: 'deadline' } });
  });

  test('a payload that is not right fails at once', async () => {
    const { job, trace: done } = await run([step('a')], { data: { n: 'two' } });
    expect([job.state, done]).toEqual(['failed', []]);
  });
});

describe('ends that come from outside', () => {
  const aborted = AbortSignal.abort(new Error('now'));
  const wait = step('wait', { run: async ({ signal }) => signal.throwIfAborted() });

  test('a cancelled job is undone and ends as cancelled', async () => {
    const cancel = new AbortController();
    const cancelling = step('b', {
      async run({ signal }) {
        cancel.abort(new Error('cancelled'));
        signal.throwIfAborted();
      },
    });
    const { job, trace: done } = await run([step('a'), cancelling], {
      signals: { cancelled: cancel.signal },
    });
    expect([job.state, job.error, done]).toEqual(['cancelled', null, ['a', 'undo b', 'undo a']]);
  });

  test('past its point of no return a job is neither cancelled nor undone', async () => {
    const cancel = new AbortController();
    const point = step('switch', { isPointOfNoReturn: true });
    const after = step('tidy', {
      async run({ signal }) {
        cancel.abort(new Error('cancelled'));
        signal.throwIfAborted();
        trace.push('tidied');
      },
    });
    const going = await run([point, after], { signals: { cancelled: cancel.signal } });
    expect([going.job.state, going.trace]).toEqual(['completed', ['switch', 'tidied']]);
    const failed = await run([point, failing(new JobError('Left over'))]);
    expect([failed.job.state, failed.trace]).toEqual(['failed', ['switch', 'fail']]);
  });

  test('when the runner ends, the step that runs may finish, no other begins, and it is no failure', async () => {
    const stopping = new AbortController();
    const last = step('a', { run: async () => stopping.abort(new Error('ending')) });
    const first = await run([last, step('b')], { signals: { stopping: stopping.signal } });
    expect([first.outcome, first.trace]).toEqual(['hand-over', []]);
    expect(first.job).toMatchObject({ state: 'active', steps_done: ['a'], failures: 0 });
    const second = await run([last, step('b')], { id: first.id, attempt: 2 });
    expect(second.job).toMatchObject({ state: 'completed', failures: 0 });
    const cut = await run([wait], { signals: { stopped: aborted, stopping: aborted } });
    expect([cut.outcome, cut.job.state, cut.job.failures]).toEqual(['hand-over', 'active', 0]);
  });
});

describe('one job, one runner', () => {
  test('a run that has been overtaken cannot write progress, state, log, or an end', async () => {
    const id = await newJob();
    let runs = 0;
    const overtaken = step('a', {
      async run(context) {
        if (++runs > 1) return;
        await run([overtaken], { id, attempt: 2 });
        context.log('from the past');
        await expect(context.progress(0.9, 'from the past')).rejects.toBeInstanceOf(LeaseLostError);
        await expect(context.checkpoint()).rejects.toBeInstanceOf(LeaseLostError);
        await expect(context.assertLease()).rejects.toBeInstanceOf(LeaseLostError);
        await expect(context.connect(services.controlDatabaseUrl, async () => 1)).rejects.toBeInstanceOf(
          LeaseLostError,
        );
        context.state.sum = 1000;
      },
    });
    const { outcome, job } = await run([overtaken], { id });
    expect(outcome).toBe('over');
    expect(job).toMatchObject({ state: 'completed', attempt: 2, result: { sum: 0 } });
    expect(JSON.stringify(await readJobLog(control, id, { after: '0', limit: 100 }))).not.toContain(
      'from the past',
    );
  });

  test('connections of an overtaken run are cut off before the next one begins', async () => {
    const id = await newJob();
    await control.query('CREATE TABLE effects (attempt int)');
    let runs = 0;
    const writing = step('a', {
      run: ({ connect, attempt }) =>
        connect(services.controlDatabaseUrl, async (client) => {
          await client.query('BEGIN');
          await client.query('INSERT INTO effects VALUES ($1)', [attempt]);
          if (++runs === 1) await run([writing], { id, attempt: 2 });
          await client.query('COMMIT');
        }),
    });
    const { job } = await run([writing], { id });
    expect(job).toMatchObject({ state: 'completed', attempt: 2 });
    expect((await control.query('SELECT attempt FROM effects')).rows).toEqual([{ attempt: 2 }]);
  });

  test('an attempt number that was used or overtaken cannot take the job', async () => {
    const id = await newJob();
    const { kind } = aJob([step('a')]);
    const claim = (attempt: number) => claimJob(services.control, { jobId: id, attempt, kind });
    expect((await claim(3)).kind).toBe('claimed');
    expect((await claim(3)).kind).toBe('over');
    expect((await claim(2)).kind).toBe('over');
    expect((await claim(4)).kind).toBe('claimed');
  });

  test('of two jobs with one key the second waits until the first is over, also between its attempts', async () => {
    const [a, b] = [await newJob({ key: 'cluster' }), await newJob({ key: 'cluster' })];
    expect((await run([failing(new Error('later'))], { id: a })).outcome).toBe('retry');
    const early = await run([step('b')], { id: b });
    expect([early.outcome, early.job.state, early.trace]).toEqual(['busy', 'queued', []]);
    await run([step('fail')], { id: a, attempt: 2 });
    expect((await run([step('b')], { id: b, attempt: 2 })).job.state).toBe('completed');
  });
});

test('a dry run says what would be done and runs no step', async () => {
  const { job, trace: done } = await run([step('a')], { id: await newJob({ isDryRun: true }) });
  expect(done).toEqual([]);
  expect(job).toMatchObject({ state: 'completed', result: { plan: ['would add 2'] }, steps_begun: [] });
});

test('the end of a job is a line of the audit log and counts in the totals', async () => {
  const { id } = await run([failing(new JobError('No'))]);
  const { rows } = await control.query(
    `SELECT actor, action, after FROM control.audit_log WHERE after ->> 'job' = $1`,
    [id],
  );
  expect(rows).toEqual([
    {
      actor: 'runner',
      action: 'job.failed',
      after: { job: id, kind: 'test', attempt: 1, error: { message: 'No' } },
    },
  ]);
  const totals = await control.query<{ jobs: string; counted: string }>(
    `SELECT jobs, (SELECT sum(n) FROM unnest(buckets) n) AS counted FROM control.job_totals WHERE name = 'test' AND state = 'failed'`,
  );
  expect(Number(totals.rows[0]?.jobs)).toBeGreaterThan(0);
  expect(totals.rows[0]?.counted).toBe(totals.rows[0]?.jobs);
});
