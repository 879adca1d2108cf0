import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobRecord } from '../../admin-worker/jobs/job-record.ts';
import { type JobHarness, startJobHarness } from '../../admin-worker/test/support/job-harness.ts';
import { KILL_POINTS } from '../../admin-worker/test/support/kill-points.ts';
import { databaseUrl, runSql } from '../support/database.ts';
import { rowsOf, startDumpablePostgres } from '../support/ejection.ts';
import type { TestPostgres } from '../support/postgres.ts';

const EJECT = KILL_POINTS['eject-tenant'];
const RETURN = KILL_POINTS['repatriate-tenant'];

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

const CANCELLED = { state: 'cancelled', steps_begun: [] };

/** Killed, cancelled, and killed in undoing it. */
async function killedAndCancelled(
  { jobId }: Move,
  points: readonly string[],
  undone: readonly string[],
): Promise<JobRecord> {
  const ready = await jobs.killAt(jobId, points);
  ready.kill('SIGKILL');
  await jobs.admin.request('POST', `/v1/jobs/${jobId}/cancel`);
  return jobs.killAtAndEnd(jobId, undone);
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

const PUBLIC_OWNER = `SELECT pg_get_userbyid(nspowner) AS owner FROM pg_namespace WHERE nspname = 'public'`;
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
      away: EJECT.offline,
      cancelledAt: RETURN.offlineCancelled,
      undoneAt: RETURN.offlineUndone,
      back: RETURN.offline,
    },
    {
      mode: 'online',
      away: EJECT.online,
      cancelledAt: RETURN.onlineCancelled,
      undoneAt: RETURN.onlineUndone,
      back: RETURN.online,
    },
  ] as const)(
    '$mode, at one place after the other: the tenant has moved all the same, and come back',
    async ({ mode, away, cancelledAt, undoneAt, back }) => {
      const move = await asked(mode);
      expect(await jobs.killAtAndEnd(move.jobId, away)).toMatchObject({
        state: 'completed',
        failures: away.length,
        error: null,
      });
      await expectMoved(move);

      const cancelled = await askedBack(move, mode);
      expect(await killedAndCancelled(cancelled, cancelledAt, undoneAt)).toMatchObject(CANCELLED);
      await expectStayedAway(cancelled);

      const returned = await askedBack(move, mode);
      expect(await jobs.killAtAndEnd(returned.jobId, back)).toMatchObject({
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
    // Undoing is killed as well.
    expect(await killedAndCancelled(move, EJECT.followed, EJECT.undone)).toMatchObject(CANCELLED);
    await expectStayed(move);
  }, 240_000);

  test('after the preflight, and the new place is another tenant’s by the time a runner goes on: nothing of that is touched', async () => {
    const { admin } = jobs;
    const name = `target_${randomBytes(4).toString('hex')}`;
    await runSql(target.url, `CREATE DATABASE ${name} TEMPLATE template0`);
    const url = databaseUrl(target.url, name);
    const tenant = admin.tenantId();
    await admin.request('POST', '/v1/tenants', {
      body: { id: tenant, hosts: [`${tenant}.localhost`], placement: { kind: 'database' } },
    });
    const { body } = await admin.request('POST', `/v1/tenants/${tenant}/eject`, {
      body: { remote_connection_string: url, mode: 'offline' },
    });
    const jobId = String(body.job?.id);
    const next = await jobs.killAt(jobId, ['step-begun prepare']);
    next.kill('SIGKILL');
    // As the job of another tenant with a database of its own leaves it, before and after its rows have come.
    await runSql(url, `CREATE ROLE ${name}_owner; ALTER SCHEMA public OWNER TO ${name}_owner`);
    expect(await jobs.killAtAndEnd(jobId, [])).toMatchObject({
      state: 'failed',
      steps_begun: [],
      error: { code: 'preflight', message: expect.stringContaining('the schema public') },
    });
    expect(await rowsOf(url, PUBLIC_OWNER)).toEqual([{ owner: `${name}_owner` }]);
    await runSql(url, `CREATE TABLE public.theirs (id int)`);
    const { body: found } = await admin.request('POST', `/v1/tenants/${tenant}/eject/preflight`, {
      body: { remote_connection_string: url, mode: 'offline' },
    });
    expect(found.findings).toEqual(
      expect.arrayContaining([expect.objectContaining({ code: 'schema_exists', object: 'public' })]),
    );
    expect(await admin.request('GET', `/v1/tenants/${tenant}`)).toMatchObject({
      body: { tenant: { status: 'active', placement: { kind: 'database' } } },
    });
  }, 120_000);

  test('when the switch was made, then cancelled: the tenant stays at its new place, and its old copy is deleted all the same', async () => {
    const move = await asked('offline');
    await killedAndCancelled(move, EJECT.switched, EJECT.switchedUndone);
    const log = await jobs.admin.request('GET', `/v1/jobs/${move.jobId}/log`, {
      headers: { accept: 'text/plain' },
    });
    expect(log.text).toContain('the tenant had been moved already; it stays at its new place');
    await expectMoved(move);

    const path = `/v1/tenants/${move.tenant}/eject/delete-old-copy`;
    const { body } = await jobs.admin.request('POST', path, { body: {} });
    expect(await jobs.killAtAndEnd(String(body.job?.id), KILL_POINTS['delete-old-copy'].run)).toMatchObject({
      state: 'completed',
      result: { deleted: true },
    });
    const left = 'SELECT FROM pg_roles WHERE starts_with(rolname, $1)';
    expect(await rowsOf(jobs.admin.sharedUrl, left, [`${move.tenant}_`])).toEqual([]);
  }, 120_000);

  test('in going back to the old copy, cancelled and not: the tenant is at one of its places, and the other is closed', async () => {
    const move = await asked('offline');
    expect(await jobs.killAtAndEnd(move.jobId, [])).toMatchObject({ state: 'completed' });
    const { tenant, targetUrl } = move;
    const ask = async () => {
      const path = `/v1/tenants/${tenant}/eject/flip-back`;
      const { body } = await jobs.admin.request('POST', path, { body: {} });
      return { tenant, targetUrl, jobId: String(body.job?.id) };
    };
    const { cancelled: cancelledAt, undone, run } = KILL_POINTS['flip-back-tenant'];
    expect(await killedAndCancelled(await ask(), cancelledAt, undone)).toMatchObject(CANCELLED);
    const places = async () => {
      const { status, epoch, placement } = (await jobs.admin.request('GET', `/v1/tenants/${tenant}`)).body
        .tenant!;
      const write = (url: string) =>
        runSql(url, `BEGIN; DELETE FROM ${tenant}.notes; ROLLBACK`).then(
          () => 'open',
          (error: Error) => (/being moved/.test(error.message) ? 'closed' : error.message),
        );
      const [home, away] = [await write(jobs.admin.sharedUrl), await write(targetUrl)];
      return { status, epoch, kind: placement?.kind, home, away };
    };
    expect(await places()).toEqual({
      status: 'active',
      epoch: 2,
      kind: 'remote',
      home: 'closed',
      away: 'open',
    });
    expect(await jobs.killAtAndEnd((await ask()).jobId, run)).toMatchObject({
      state: 'completed',
      error: null,
    });
    expect(await places()).toEqual({
      status: 'active',
      epoch: 3,
      kind: 'shared',
      home: 'open',
      away: 'closed',
    });
    expect(await rowsOf(jobs.admin.sharedUrl, NOTES(tenant))).toEqual(ALL);
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
    const { cancelled: cancelledAt, undone, run } = KILL_POINTS['adopt-tenant'];
    (await jobs.killAt(cancelled.jobId, cancelledAt)).kill('SIGKILL');
    expect((await roles()).map(({ rolname }) => rolname)).toEqual([`${id}_login`, `${id}_visitor`]);
    expect(await killedAndCancelled(cancelled, [], undone)).toMatchObject(CANCELLED);
    expect(await roles()).toEqual([]);
    expect((await admin.request('GET', `/v1/tenants/${id}`)).status).toBe(404);

    const adopted = await ask();
    expect(await jobs.killAtAndEnd(adopted.jobId, run)).toMatchObject({ state: 'completed', error: null });
    expect((await admin.request('GET', `/v1/tenants/${id}`)).status).toBe(200);
    expect((await roles()).length).toBe(2);
  }, 120_000);
});
