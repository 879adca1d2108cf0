import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JobHarness, startJobHarness } from '../support/job-harness.ts';
import { KILL_POINTS } from '../support/kill-points.ts';
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
    expect(await jobs.killAtAndEnd(id, points)).toMatchObject({
      state: 'completed',
      attempt: points.length + 1,
      failures: points.length,
      result: { balance: 111 },
    });
    expect(await jobs.ledger(id)).toEqual({ a: 1, b: 1, c: 1 });
  }, 90_000);

  test('at, in and between the undoing of all steps: nothing is left', async () => {
    const { id } = await jobs.enqueue({ kind: ledgerKind, payload: { fails: true } });
    const points = [
      'undo-begun c',
      'undo-run c',
      'before DELETE',
      'after DELETE',
      'undo-run b',
      'after DELETE',
      'undo-run a',
    ];
    expect(await jobs.killAtAndEnd(id, points)).toMatchObject({
      state: 'failed',
      error: { message: 'The ledger is closed' },
      steps_begun: [],
    });
    expect(await jobs.ledger(id)).toEqual({});
  }, 60_000);

  test('anywhere in applying migrations: each is applied once, and recorded', async () => {
    const { admin } = jobs;
    const tenant = await aTenant();
    const sql = (text: string, index: number) => ({ name: `20261122000${index}__t.sql`, sql: text });
    // Run twice, it would fail or count twice.
    const migrations = ['CREATE TABLE hits (n int);', 'INSERT INTO hits VALUES (1);'].map(sql);
    const { body } = await admin.request('POST', `/v1/tenants/${tenant}/migrations`, {
      body: { migrations },
    });
    const id = String(body.job?.id);
    const job = await jobs.killAtAndEnd(id, KILL_POINTS['apply-migrations'].run);
    expect(job).toMatchObject({
      state: 'completed',
      result: { applied: migrations.map(({ name }) => name), skipped: [] },
    });
    expect(await admin.shared(`SELECT n FROM ${tenant}.hits`)).toEqual([{ n: 1 }]);
    const { body: listed } = await admin.request('GET', `/v1/tenants/${tenant}/migrations`);
    expect(listed.migrations).toMatchObject(migrations.map(({ name }) => ({ name, state: 'applied' })));
    // The session of who was killed goes as soon as the server has noticed.
    await expect
      .poll(() => admin.shared('SELECT FROM pg_locks WHERE locktype = $1', ['advisory']), { timeout: 10_000 })
      .toEqual([]);
  }, 60_000);

  test('in applying migrations, then cancelled and killed as that is undone: what was not committed is not there', async () => {
    const tenant = await aTenant();
    const { body } = await jobs.admin.request('POST', `/v1/tenants/${tenant}/migrations`, {
      body: { migrations: [{ name: '202611220001__t.sql', sql: 'CREATE TABLE hits (n int);' }] },
    });
    const { cancelled, undone } = KILL_POINTS['apply-migrations'];
    expect(await killedAndCancelled(String(body.job?.id), cancelled, undone)).toMatchObject(CANCELLED);
    expect(
      (await jobs.admin.shared('SELECT to_regclass($1) AS hits', [`${tenant}.hits`]))[0]?.hits,
    ).toBeNull();
    const { body: listed } = await jobs.admin.request('GET', `/v1/tenants/${tenant}/migrations`);
    expect(listed.migrations).not.toMatchObject([{ state: 'applied' }]);
  }, 60_000);

  test('anywhere in a digest: it is what it would have been, and no login is left', async () => {
    const tenant = await aTenant();
    const ask = async () => {
      const body = { passphrase: 'correct horse battery staple' };
      const answer = await jobs.admin.request('POST', `/v1/tenants/${tenant}/digest`, { body });
      expect(answer.status, answer.text).toBe(202);
      return String(answer.body.job?.id);
    };
    const { run, cancelled, undone } = KILL_POINTS['digest-tenant'];
    const undisturbed = await jobs.killAtAndEnd(await ask(), []);
    const killed = await jobs.killAtAndEnd(await ask(), run);
    expect(killed).toMatchObject({ state: 'completed', failures: run.length });
    // But for how long files and vectors took.
    expect(killed.result).toEqual({ ...undisturbed.result, contents_seconds: expect.any(Number) });
    const stopped = await killedAndCancelled(await ask(), cancelled, undone);
    expect(stopped).toMatchObject(CANCELLED);
    const logins = [undisturbed, killed, stopped].map(({ id }) => `cascata_run_${id.replaceAll('-', '')}%`);
    expect(await jobs.admin.shared('SELECT FROM pg_roles WHERE rolname LIKE ANY ($1)', [logins])).toEqual([]);
  }, 90_000);
});

const CANCELLED = { state: 'cancelled', steps_begun: [] };

/** Killed, cancelled, and killed in undoing it. */
async function killedAndCancelled(id: string, points: readonly string[], undone: readonly string[]) {
  (await jobs.killAt(id, points)).kill('SIGKILL');
  await jobs.admin.request('POST', `/v1/jobs/${id}/cancel`);
  return jobs.killAtAndEnd(id, undone);
}

async function aTenant(): Promise<string> {
  const id = jobs.admin.tenantId();
  await jobs.admin.request('POST', '/v1/tenants', { body: { id, hosts: [`${id}.localhost`] } });
  return id;
}

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
