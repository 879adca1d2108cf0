import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JobHarness, startJobHarness } from '../support/job-harness.ts';
import { ledgerKind } from '../support/test-jobs.ts';

let jobs: JobHarness;
let directory: string;
beforeAll(async () => {
  jobs = await startJobHarness();
  directory = await mkdtemp(join(tmpdir(), 'cascata-jobs-'));
});
afterAll(async () => {
  await jobs.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Has runner after runner take the job and die at one point each, then one that lives. */
async function killAtEach(id: string, points: readonly string[]): Promise<void> {
  for (const point of points) {
    expect([point, await jobs.startRunner(point).ended]).toEqual([point, 'SIGKILL']);
    await jobs.expireLease(id);
  }
  const last = jobs.startRunner();
  await expect
    .poll(async () => (await jobs.find(id)).finished_at, { timeout: 20_000, interval: 50 })
    .not.toBeNull();
  last.kill('SIGTERM');
  expect(await last.ended).toBe(0);
}

describe('kill -9 of the runner', () => {
  test('at, in and between all steps: each effect is there once', async () => {
    const { id } = await jobs.enqueue({ kind: ledgerKind, payload: { fails: false } });
    // Of the five places in and around a step all for the first, and those where something is done but not yet known for the others.
    const points = [
      'step-begun a',
      'before COMMIT',
      'after COMMIT',
      'step-run a',
      'step-kept a',
      'before COMMIT',
      'after COMMIT',
      'step-kept b',
      'after COMMIT',
      'step-run c',
      'step-kept c',
    ];
    await killAtEach(id, points);
    expect(await jobs.find(id)).toMatchObject({
      state: 'completed',
      attempt: points.length + 1,
      failures: points.length,
      result: { balance: 111 },
    });
    expect(await jobs.ledger(id)).toEqual({ a: 1, b: 1, c: 1 });
  }, 90_000);

  test('at, in and between the undoing of all steps: nothing is left', async () => {
    const { id } = await jobs.enqueue({ kind: ledgerKind, payload: { fails: true } });
    await killAtEach(id, [
      'undo-begun c',
      'undo-run c',
      'before DELETE',
      'after DELETE',
      'undo-run b',
      'after DELETE',
      'undo-run a',
    ]);
    expect(await jobs.find(id)).toMatchObject({
      state: 'failed',
      error: { message: 'The ledger is closed' },
      steps_begun: [],
    });
    expect(await jobs.ledger(id)).toEqual({});
  }, 60_000);

  test('anywhere in applying migrations: each is applied once, and recorded', async () => {
    const { admin } = jobs;
    const tenant = admin.tenantId();
    await admin.request('POST', '/v1/tenants', { body: { id: tenant, hosts: [`${tenant}.localhost`] } });
    const sql = (text: string, index: number) => ({ name: `20261122000${index}__t.sql`, sql: text });
    // Run twice, it would fail or count twice.
    const migrations = ['CREATE TABLE hits (n int);', 'INSERT INTO hits VALUES (1);'].map(sql);
    const { body } = await admin.request('POST', `/v1/tenants/${tenant}/migrations`, {
      body: { migrations },
    });
    const id = String(body.job?.id);
    // Statements of the run's connections: to the tenant's database and the one that holds its lock.
    await killAtEach(id, [
      'step-begun compare',
      'step-kept compare',
      'after INSERT INTO control.tenant_migrations',
      'before COMMIT',
      'after COMMIT',
    ]);
    const job = await jobs.find(id);
    expect(job).toMatchObject({
      state: 'completed',
      result: { applied: migrations.map(({ name }) => name), skipped: [] },
    });
    expect(await admin.shared(`SELECT n FROM ${tenant}.hits`)).toEqual([{ n: 1 }]);
    const { body: listed } = await admin.request('GET', `/v1/tenants/${tenant}/migrations`);
    expect(listed.migrations).toMatchObject(migrations.map(({ name }) => ({ name, state: 'applied' })));
    expect(await admin.shared('SELECT FROM pg_locks WHERE locktype = $1', ['advisory'])).toEqual([]);
  }, 60_000);
});

test('a runner that is paused beyond its lease and wakes has no effect; the other one has done the job', async () => {
  const go = join(directory, 'go');
  const { id } = await jobs.enqueue({
    kind: ledgerKind,
    payload: { fails: false, pause: `while [ ! -e '${go}' ]; do sleep 0.05; done` },
  });
  const sleeper = jobs.startRunner();
  // Its transaction has looked at the ledger, found nothing, and is about to write.
  await expect.poll(async () => (await jobs.find(id)).step, { timeout: 20_000 }).toBe('b');
  sleeper.kill('SIGSTOP');
  await writeFile(go, '');
  const other = jobs.startRunner();
  // Nobody helps here: ten seconds without a sign of life, then the queue takes the job away.
  await expect
    .poll(async () => (await jobs.find(id)).state, { timeout: 40_000, interval: 100 })
    .toBe('completed');
  sleeper.kill('SIGCONT');
  await sleeper.printed(/"state":"lost"/);
  expect(await jobs.find(id)).toMatchObject({ attempt: 2, failures: 1, result: { balance: 111 } });
  expect(await jobs.ledger(id)).toEqual({ a: 1, b: 1, c: 1 });
  for (const runner of [sleeper, other]) runner.kill('SIGTERM');
  expect([await sleeper.ended, await other.ended]).toEqual([0, 0]);
}, 90_000);
