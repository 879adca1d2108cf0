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

describe('kill -9 of the runner', () => {
  test.each([
    {
      mode: 'offline',
      points: [
        'step-begun prepare',
        'step-run prepare',
        'step-run hold',
        'step-run copy',
        'after WITH flipped',
      ],
    },
    {
      mode: 'online',
      points: [
        'after CREATE SUBSCRIPTION',
        'step-run copy',
        'after UPDATE control.tenants',
        'before WITH flipped',
        'step-run switch',
      ],
    },
  ] as const)(
    '$mode: at five places, and the tenant has moved all the same',
    async ({ mode, points }) => {
      const move = await asked(mode);
      await killAt(move, points);
      await letItEnd(move);
      expect(await jobs.find(move.jobId)).toMatchObject({ state: 'completed', failures: 5, error: null });
      await expectMoved(move);
    },
    240_000,
  );

  test.each([
    { mode: 'offline', point: 'step-run prepare' },
    { mode: 'offline', point: 'before WITH flipped' },
    { mode: 'online', point: 'after CREATE SUBSCRIPTION' },
    { mode: 'online', point: 'before WITH flipped' },
  ] as const)(
    '$mode: $point, then cancelled: the tenant is where it was, and nothing is left elsewhere',
    async ({ mode, point }) => {
      const move = await asked(mode);
      expect(await jobs.startRunner(point).ended).toBe('SIGKILL');
      await jobs.admin.request('POST', `/v1/jobs/${move.jobId}/cancel`);
      await jobs.expireLease(move.jobId);
      // Undoing is killed as well.
      await killAt(move, ['undo-begun prepare']);
      await letItEnd(move);
      expect(await jobs.find(move.jobId)).toMatchObject({ state: 'cancelled', steps_begun: [] });
      await expectStayed(move);
    },
    240_000,
  );

  test('killed when the switch was made, then cancelled: the tenant stays at its new place', async () => {
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
  }, 120_000);
});
