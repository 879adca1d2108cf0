import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JobHarness, startJobHarness } from '../../admin-worker/test/support/job-harness.ts';
import { databaseUrl, runSql } from '../support/database.ts';
import { rowsOf, startDumpablePostgres } from '../support/ejection.ts';
import type { TestPostgres } from '../support/postgres.ts';

let source: TestPostgres;
let target: TestPostgres;
let jobs: JobHarness;
beforeAll(async () => {
  [source, target] = await Promise.all([startDumpablePostgres(), startDumpablePostgres()]);
  jobs = await startJobHarness({ serverUrl: source.url });
}, 120_000);
afterAll(async () => {
  await jobs?.stop();
  await Promise.all([source?.stop(), target?.stop()]);
});

interface Move {
  readonly tenant: string;
  readonly targetUrl: string;
  readonly jobId: string;
}

/** A tenant with 300 rows whose move is in the queue. */
async function asked(mode: 'offline' | 'online'): Promise<Move> {
  const { admin } = jobs;
  const tenant = admin.tenantId();
  await admin.request('POST', '/v1/tenants', { body: { id: tenant, hosts: [`${tenant}.localhost`] } });
  await runSql(
    admin.sharedUrl,
    `SET ROLE ${tenant}_owner;
     CREATE TABLE ${tenant}.notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text);
     INSERT INTO ${tenant}.notes (text) SELECT 'note ' || n FROM generate_series(1, 300) n`,
  );
  const name = `target_${randomBytes(4).toString('hex')}`;
  await runSql(target.url, `CREATE DATABASE ${name} TEMPLATE template0`);
  const targetUrl = databaseUrl(target.url, name);
  const { body } = await admin.request('POST', `/v1/tenants/${tenant}/eject`, {
    body: { remote_connection_string: targetUrl, mode },
  });
  return { tenant, targetUrl, jobId: String(body.job?.id) };
}

async function killAt({ jobId }: Move, points: readonly string[]): Promise<void> {
  for (const point of points) {
    expect([point, await jobs.startRunner(point).ended]).toEqual([point, 'SIGKILL']);
    await jobs.expireLease(jobId);
  }
}

async function letItEnd({ jobId }: Move): Promise<void> {
  const last = jobs.startRunner();
  await expect
    .poll(async () => (await jobs.find(jobId)).finished_at, { timeout: 60_000, interval: 100 })
    .not.toBeNull();
  last.kill('SIGTERM');
  await last.ended;
}

const NOTES = (tenant: string) =>
  `SELECT count(*)::int AS n, count(DISTINCT text)::int AS texts, min(text) AS first FROM ${tenant}.notes`;
const ALL = [{ n: 300, texts: 300, first: 'note 1' }];

/** Nothing of a replication is left on either side. */
async function expectNoReplication({ targetUrl }: Move): Promise<void> {
  expect(await rowsOf(source.url, 'SELECT slot_name FROM pg_replication_slots')).toEqual([]);
  expect(await rowsOf(source.url, `SELECT FROM pg_roles WHERE rolname LIKE 'cascata_eject_%'`)).toEqual([]);
  expect(await rowsOf(jobs.admin.sharedUrl, 'SELECT pubname FROM pg_publication')).toEqual([]);
  expect(await rowsOf(targetUrl, 'SELECT subname FROM pg_subscription')).toEqual([]);
}

async function expectMoved(move: Move): Promise<void> {
  const { tenant, targetUrl } = move;
  const shown = (await jobs.admin.request('GET', `/v1/tenants/${tenant}`)).body.tenant!;
  expect(shown).toMatchObject({ status: 'active', epoch: 2, placement: { kind: 'remote' } });
  expect(await rowsOf(targetUrl, NOTES(tenant))).toEqual(ALL);
  await runSql(targetUrl, `INSERT INTO ${tenant}.notes (text) VALUES ('more')`);
  await expect(
    runSql(jobs.admin.sharedUrl, `INSERT INTO ${tenant}.notes (text) VALUES ('late')`),
  ).rejects.toThrow(/being moved/);
  await expectNoReplication(move);
}

async function expectStayed(move: Move): Promise<void> {
  const { tenant, targetUrl } = move;
  const shown = (await jobs.admin.request('GET', `/v1/tenants/${tenant}`)).body.tenant!;
  expect(shown).toMatchObject({ status: 'active', epoch: 1, placement: { kind: 'shared' } });
  expect(await rowsOf(jobs.admin.sharedUrl, NOTES(tenant))).toEqual(ALL);
  await runSql(jobs.admin.sharedUrl, `INSERT INTO ${tenant}.notes (text) VALUES ('more')`);
  expect(await rowsOf(targetUrl, 'SELECT nspname FROM pg_namespace WHERE nspname = $1', [tenant])).toEqual(
    [],
  );
  expect(
    await rowsOf(targetUrl, 'SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)', [`${tenant}_`]),
  ).toEqual([]);
  await expectNoReplication(move);
}

/** The way back of a tenant that has moved. */
async function askedBack({ tenant, targetUrl }: Move, mode: string): Promise<Move> {
  const { body } = await jobs.admin.request('POST', `/v1/tenants/${tenant}/repatriate`, { body: { mode } });
  return { tenant, targetUrl, jobId: String(body.job?.id) };
}

const KEPT = `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'cascata_kept_%'`;

/** The tenant is where it was, open, and its old copy here has its name, closed. */
async function expectStayedAway(move: Move): Promise<void> {
  const { tenant, targetUrl } = move;
  const shown = (await jobs.admin.request('GET', `/v1/tenants/${tenant}`)).body.tenant!;
  expect(shown).toMatchObject({ status: 'active', epoch: 2, placement: { kind: 'remote' } });
  await runSql(targetUrl, `INSERT INTO ${tenant}.notes (text) VALUES ('elsewhere')`);
  expect(await rowsOf(jobs.admin.sharedUrl, NOTES(tenant))).toEqual(ALL);
  await expect(runSql(jobs.admin.sharedUrl, `DELETE FROM ${tenant}.notes`)).rejects.toThrow(/being moved/);
  expect(await rowsOf(jobs.admin.sharedUrl, KEPT)).toEqual([]);
  await expectNothingLeft(move, { followed: targetUrl, follower: jobs.admin.sharedUrl });
}

async function expectBack(move: Move): Promise<void> {
  const { tenant, targetUrl } = move;
  const shown = (await jobs.admin.request('GET', `/v1/tenants/${tenant}`)).body.tenant!;
  expect(shown).toMatchObject({ status: 'active', epoch: 3, placement: { kind: 'shared' } });
  // With what was written elsewhere, by the test's own looks at it.
  expect(await rowsOf(jobs.admin.sharedUrl, NOTES(tenant))).toEqual([
    { n: 302, texts: 302, first: 'elsewhere' },
  ]);
  await runSql(jobs.admin.sharedUrl, `INSERT INTO ${tenant}.notes (text) VALUES ('home')`);
  await expect(runSql(targetUrl, `DELETE FROM ${tenant}.notes`)).rejects.toThrow(/being moved/);
  expect(await rowsOf(jobs.admin.sharedUrl, KEPT)).toEqual([]);
  await expectNothingLeft(move, { followed: targetUrl, follower: jobs.admin.sharedUrl });
}

async function expectNothingLeft(
  { tenant }: Move,
  { followed, follower }: { followed: string; follower: string },
): Promise<void> {
  expect(await rowsOf(followed, 'SELECT slot_name FROM pg_replication_slots')).toEqual([]);
  expect(await rowsOf(followed, 'SELECT pubname FROM pg_publication')).toEqual([]);
  expect(await rowsOf(followed, `SELECT FROM pg_roles WHERE rolname LIKE 'cascata_eject_%'`)).toEqual([]);
  expect(await rowsOf(follower, 'SELECT subname FROM pg_subscription')).toEqual([]);
  expect(await rowsOf(follower, 'SELECT FROM pg_roles WHERE rolname = $1', [`${tenant}_migrator`])).toEqual(
    [],
  );
}

describe('kill -9 of the runner', () => {
  test.each([
    {
      mode: 'offline',
      away: ['step-run prepare', 'step-run copy', 'after WITH flipped'],
      cancelledAt: 'step-run copy',
      back: ['step-begun prepare', 'step-run hold', 'before WITH flipped', 'step-begun clean-up'],
    },
    {
      mode: 'online',
      away: ['step-run copy', 'after UPDATE control.tenants', 'step-run switch'],
      cancelledAt: 'before WITH flipped',
      back: ['after CREATE SUBSCRIPTION', 'step-run copy', 'after WITH flipped'],
    },
  ] as const)(
    '$mode, at one place after the other: the tenant has moved all the same, and come back',
    async ({ mode, away, cancelledAt, back }) => {
      const move = await asked(mode);
      await killAt(move, away);
      await letItEnd(move);
      expect(await jobs.find(move.jobId)).toMatchObject({
        state: 'completed',
        failures: away.length,
        error: null,
      });
      await expectMoved(move);

      const cancelled = await askedBack(move, mode);
      await killAt(cancelled, [cancelledAt]);
      await jobs.admin.request('POST', `/v1/jobs/${cancelled.jobId}/cancel`);
      await letItEnd(cancelled);
      expect(await jobs.find(cancelled.jobId)).toMatchObject({ state: 'cancelled', steps_begun: [] });
      await expectStayedAway(cancelled);

      const returned = await askedBack(move, mode);
      await killAt(returned, back);
      await letItEnd(returned);
      expect(await jobs.find(returned.jobId)).toMatchObject({
        state: 'completed',
        failures: back.length,
        error: null,
      });
      await expectBack(returned);
    },
    240_000,
  );

  test('while rows are followed, then cancelled: the tenant is where it was, and nothing is left elsewhere', async () => {
    const move = await asked('online');
    expect(await jobs.startRunner('after CREATE SUBSCRIPTION').ended).toBe('SIGKILL');
    await jobs.admin.request('POST', `/v1/jobs/${move.jobId}/cancel`);
    await jobs.expireLease(move.jobId);
    // Undoing is killed as well.
    await killAt(move, ['undo-begun prepare']);
    await letItEnd(move);
    expect(await jobs.find(move.jobId)).toMatchObject({ state: 'cancelled', steps_begun: [] });
    await expectStayed(move);
  }, 240_000);

  test('when the switch was made, then cancelled: the tenant stays at its new place, and its old copy is deleted all the same', async () => {
    const move = await asked('offline');
    expect(await jobs.startRunner('after WITH flipped').ended).toBe('SIGKILL');
    await jobs.admin.request('POST', `/v1/jobs/${move.jobId}/cancel`);
    await jobs.expireLease(move.jobId);
    await letItEnd(move);
    const log = await jobs.admin.request('GET', `/v1/jobs/${move.jobId}/log`, {
      headers: { accept: 'text/plain' },
    });
    expect(log.text).toContain('the tenant had been moved already; it stays at its new place');
    await expectMoved(move);

    const path = `/v1/tenants/${move.tenant}/eject/delete-old-copy`;
    const { body } = await jobs.admin.request('POST', path, { body: {} });
    const deletion = { ...move, jobId: String(body.job?.id) };
    await killAt(deletion, ['step-begun delete', 'before WITH deleted']);
    await letItEnd(deletion);
    expect(await jobs.find(deletion.jobId)).toMatchObject({ state: 'completed', result: { deleted: true } });
    const left = 'SELECT FROM pg_roles WHERE starts_with(rolname, $1)';
    expect(await rowsOf(jobs.admin.sharedUrl, left, [`${move.tenant}_`])).toEqual([]);
  }, 120_000);

  test('while a database is adopted: it is registered with its login, or neither', async () => {
    const { admin } = jobs;
    const id = admin.tenantId();
    const name = `outside_${randomBytes(4).toString('hex')}`;
    await runSql(target.url, `CREATE DATABASE ${name} TEMPLATE template0`);
    const ask = async () => {
      const { body } = await admin.request('POST', `/v1/tenants/${id}/adopt`, {
        body: {
          hosts: [`${id}.localhost`],
          remote_connection_string: databaseUrl(target.url, name),
          roles: [`${id}_visitor`],
          make_missing_roles: true,
          postgrest: { 'db-anon-role': `${id}_visitor` },
        },
      });
      return { tenant: id, targetUrl: '', jobId: String(body.job?.id) };
    };
    const roles = () =>
      rowsOf(target.url, 'SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1) ORDER BY 1', [
        `${id}_`,
      ]);

    const cancelled = await ask();
    await killAt(cancelled, ['step-run register']);
    expect((await roles()).map(({ rolname }) => rolname)).toEqual([`${id}_login`, `${id}_visitor`]);
    await admin.request('POST', `/v1/jobs/${cancelled.jobId}/cancel`);
    await letItEnd(cancelled);
    expect(await jobs.find(cancelled.jobId)).toMatchObject({ state: 'cancelled', steps_begun: [] });
    expect(await roles()).toEqual([]);
    expect((await admin.request('GET', `/v1/tenants/${id}`)).status).toBe(404);

    const adopted = await ask();
    await killAt(adopted, ['step-run register']);
    await letItEnd(adopted);
    expect(await jobs.find(adopted.jobId)).toMatchObject({ state: 'completed', error: null });
    expect((await admin.request('GET', `/v1/tenants/${id}`)).status).toBe(200);
    expect((await roles()).length).toBe(2);
  }, 120_000);
});
