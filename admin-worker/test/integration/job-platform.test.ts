import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMetrics } from '../../../gateway/platform/metrics.ts';
import { startNotificationListener } from '../../../gateway/registry/notification-listener.ts';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { startApiServer } from '../../api/api-server.ts';
import { JOBS_CHANNEL } from '../../jobs/job-store.ts';
import { PRUNE_QUEUE } from '../../jobs/queue.ts';
import { JOB_DEFINITIONS } from '../../runner/job-definitions.ts';
import { type JobRunner, startJobRunner } from '../../runner/job-runner.ts';
import type { Json, RequestOptions } from '../support/admin-harness.ts';
import { type JobHarness, startJobHarness } from '../support/job-harness.ts';
import { ledgerKind, TEST_JOBS, waitKind } from '../support/test-jobs.ts';

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

const runners: JobRunner[] = [];
afterEach(async () => {
  await Promise.all(runners.splice(0).map((runner) => runner.stop(AbortSignal.timeout(0))));
});

async function startRunner(): Promise<JobRunner> {
  const { admin } = jobs;
  const runner = await startJobRunner({
    controlDatabaseUrl: new Secret(admin.controlUrl),
    masterKey: admin.masterKey,
    sharedDatabase: admin.sharedDatabase,
    observe: () => undefined,
    definitions: [...JOB_DEFINITIONS, ...TEST_JOBS],
    jobRetentionDays: 30,
    graceMs: 100,
  });
  runners.push(runner);
  return runner;
}

async function aTenant(): Promise<string> {
  const id = jobs.admin.tenantId();
  await jobs.admin.request('POST', '/v1/tenants', { body: { id, hosts: [`${id}.localhost`] } });
  return id;
}

const migration = (sql: string) => ({ migrations: [{ name: '202611220001__t.sql', sql }] });
const post = (tenant: string, body: unknown, headers: RequestOptions['headers'] = {}) =>
  jobs.admin.request('POST', `/v1/tenants/${tenant}/migrations`, { body, headers });
const countJobs = async (tenant: string) =>
  (await jobs.control.query('SELECT FROM control.jobs WHERE tenant_id = $1', [tenant])).rowCount;

describe('asking for a job', () => {
  test('requests with one Idempotency-Key make one job, also at the same time', async () => {
    const tenant = await aTenant();
    const body = migration('CREATE TABLE t (id int)');
    const headers = { 'Idempotency-Key': `release-${tenant}` };
    const answers = await Promise.all([1, 2, 3, 4].map(() => post(tenant, body, headers)));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    expect(new Set(answers.map((answer) => answer.body.job?.id)).size).toBe(1);
    expect(answers.filter((answer) => answer.headers.has('idempotency-replayed'))).toHaveLength(3);
    expect(await countJobs(tenant)).toBe(1);
    const other = await post(tenant, migration('CREATE TABLE u (id int)'), headers);
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused']);
    const elsewhere = await post(await aTenant(), body, headers);
    expect(elsewhere.status).toBe(422);
    expect((await post(tenant, body, { 'Idempotency-Key': 'two words' })).status).toBe(400);
    expect((await post(tenant, body)).body.job?.id).not.toBe(answers[0]?.body.job?.id);
  });

  test('a request that was refused leaves its Idempotency-Key free', async () => {
    const tenant = jobs.admin.tenantId();
    const headers = { 'Idempotency-Key': `early-${tenant}` };
    expect((await post(tenant, migration('SELECT 1'), headers)).status).toBe(404);
    await jobs.admin.request('POST', '/v1/tenants', { body: { id: tenant, hosts: [`${tenant}.localhost`] } });
    expect((await post(tenant, migration('SELECT 1'), headers)).status).toBe(202);
  });

  test('a body with many faults is refused with all of them, and there is no job', async () => {
    const tenant = await aTenant();
    const { status, body } = await post(tenant, {
      migrations: [{ name: 'first.sql', sql: '' }],
      dry_run: 'yes',
      priority: 1000,
      wait: true,
    });
    expect([status, body.code]).toEqual([400, 'invalid_request']);
    const paths = JSON.parse(JSON.stringify(body.details)).map(({ path }: { path: string }) => path);
    expect(paths.toSorted()).toEqual([
      'dry_run',
      'migrations.0.name',
      'migrations.0.sql',
      'priority',
      'wait',
    ]);
    expect(await countJobs(tenant)).toBe(0);
  });

  test('a kind that does not wait is refused while a job holds its key, and not after', async () => {
    const key = jobs.admin.tenantId();
    const ask = () => jobs.enqueue({ kind: waitKind, payload: { command: 'true', blocks: false, key } });
    const first = await ask();
    await expect(ask()).rejects.toMatchObject({
      code: 'conflict',
      message: `The job ${first.id} (test-wait) is in the way`,
    });
    await jobs.admin.request('POST', `/v1/jobs/${first.id}/cancel`);
    const [a, b] = await Promise.allSettled([ask(), ask()]);
    expect([a.status, b.status].toSorted()).toEqual(['fulfilled', 'rejected']);
    const { rows } = await jobs.control.query(`SELECT state FROM pgboss.job WHERE id = $1`, [first.id]);
    expect(rows).toEqual([{ state: 'cancelled' }]);
    await jobs.control.query(
      `UPDATE control.jobs SET state = 'cancelled', finished_at = now() WHERE concurrency_key = $1`,
      [key],
    );
  });

  test('jobs are listed by tenant, state and kind, page by page, the newest first', async () => {
    const tenant = await aTenant();
    const made: unknown[] = [];
    for (let n = 0; n < 5; n++) made.unshift((await post(tenant, migration('SELECT 1'))).body.job?.id);
    await jobs.admin.request('POST', `/v1/jobs/${made[4]}/cancel`);
    const list = async (query: string) => {
      const { body } = await jobs.admin.request('GET', `/v1/jobs?tenant=${tenant}&${query}`);
      const page: readonly Json[] = JSON.parse(JSON.stringify(body.jobs));
      return { ids: page.map(({ id }) => id), next: body.next };
    };
    expect(await list('limit=2')).toEqual({ ids: made.slice(0, 2), next: made[1] });
    expect(await list(`limit=2&after=${made[1]}`)).toEqual({ ids: made.slice(2, 4), next: made[3] });
    expect(await list(`limit=2&after=${made[3]}`)).toEqual({ ids: made.slice(4), next: null });
    expect(await list('state=cancelled')).toEqual({ ids: [made[4]], next: null });
    expect(await list('kind=apply-migrations&state=queued')).toEqual({ ids: made.slice(0, 4), next: null });
    expect(await list('kind=export-tenant')).toEqual({ ids: [], next: null });
    expect((await jobs.admin.request('GET', '/v1/jobs?state=asleep&after=x')).body.details).toHaveLength(2);
  });
});

describe('jobs at work', () => {
  test('a dry run of migrations finds what is wrong, says what would be done, and changes nothing', async () => {
    const tenant = await aTenant();
    await startRunner();
    const run = async (sql: string) =>
      jobs.admin.waitForJob(String((await post(tenant, { ...migration(sql), dry_run: true })).body.job?.id));
    expect(await run('CREATE TABLE t (id int)')).toMatchObject({
      state: 'completed',
      dry_run: true,
      result: { plan: ['202611220001__t.sql would be applied; it was run and rolled back'] },
    });
    expect(await run('CREATE TABLE t (id nonsense)')).toMatchObject({
      state: 'failed',
      error: { code: '42704' },
    });
    expect(
      await run(`CREATE TABLE t (id int PRIMARY KEY, t int REFERENCES t DEFERRABLE INITIALLY DEFERRED);
                 INSERT INTO t VALUES (1, 2)`),
    ).toMatchObject({ state: 'failed', error: { code: '23503' } });
    expect(await jobs.admin.shared('SELECT to_regclass($1) AS t', [`${tenant}.t`])).toEqual([{ t: null }]);
    expect(
      await jobs.control.query('SELECT FROM control.tenant_migrations WHERE tenant_id = $1', [tenant]),
    ).toMatchObject({ rowCount: 0 });
  });

  test('the log is read as JSON page by page, as text, and followed to the end', async () => {
    const { id } = await jobs.enqueue({ kind: ledgerKind, payload: { fails: true } });
    const followed = jobs.admin.request('GET', `/v1/jobs/${id}/log`, {
      headers: { accept: 'text/event-stream' },
    });
    await startRunner();
    await jobs.admin.waitForJob(id);
    const stream = (await followed).text;
    const told = [...stream.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? ''));
    expect(told.map(({ line }) => line)).toEqual([
      ...['a: begins', 'a: done', 'b: begins', 'b: done', 'c: begins', 'The ledger is closed'],
      ...[
        'undo c: begins',
        'undo c: done',
        'undo b: begins',
        'undo b: done',
        'undo a: begins',
        'undo a: done',
      ],
    ]);
    const get = (query: string) => jobs.admin.request('GET', `/v1/jobs/${id}/log?${query}`);
    const first = await get('limit=10');
    expect(first.body.lines).toEqual(told.slice(0, 10));
    expect((await get(`limit=10&after=${first.body.next}`)).body).toEqual({
      lines: told.slice(10),
      next: null,
    });
    const text = await jobs.admin.request('GET', `/v1/jobs/${id}/log`, { headers: { accept: 'text/plain' } });
    expect(text.text).toMatch(/^\S+Z #1 a: a: begins\n/);
    expect(text.text).toContain(' #1 ERROR The ledger is closed\n');
    const again = await jobs.admin.request('GET', `/v1/jobs/${id}/log?after=${told[9].id}`, {
      headers: { accept: 'text/event-stream' },
    });
    expect([...again.text.matchAll(/^id: (.*)$/gm)].map(([, line]) => line)).toEqual([
      told[10].id,
      told[11].id,
    ]);
  });

  test('of waiting jobs those with a higher priority are taken first', async () => {
    const enqueue = async (priority: number) =>
      (await jobs.enqueue({ kind: waitKind, payload: { command: 'true', blocks: true }, priority })).id;
    const [low, normal, high] = [await enqueue(-1), await enqueue(0), await enqueue(1)];
    // A runner takes one of this kind at a time.
    await startRunner();
    await Promise.all([low, normal, high].map((id) => jobs.admin.waitForJob(id)));
    const { rows } = await jobs.control.query<{ id: string }>(
      'SELECT id FROM control.jobs WHERE id = ANY ($1) ORDER BY finished_at',
      [[low, normal, high]],
    );
    expect(rows.map(({ id }) => id)).toEqual([high, normal, low]);
  });

  test('many runners do every job once, and jobs with one key one at a time', async () => {
    const key = jobs.admin.tenantId();
    const actives: number[] = [];
    const listener = startNotificationListener({
      url: new Secret(jobs.admin.controlUrl),
      channel: JOBS_CHANNEL,
      onNotification: async () => {
        const { rowCount } = await jobs.control.query(
          `SELECT FROM control.jobs WHERE concurrency_key = $1 AND state = 'active'`,
          [key],
        );
        actives.push(rowCount ?? 0);
      },
    });
    await Promise.all([startRunner(), startRunner(), startRunner()]);
    const made = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        jobs.enqueue({ kind: ledgerKind, payload: { fails: false, ...(n < 4 ? { key } : {}) } }),
      ),
    );
    await Promise.all(made.map(({ id }) => jobs.admin.waitForJob(id)));
    await listener.close();
    for (const { id } of made) expect(await jobs.ledger(id)).toEqual({ a: 1, b: 1, c: 1 });
    expect(Math.max(...actives)).toBe(1);
  });

  test('when its runner is told to end, a job goes to another one at once, and that is no failure', async () => {
    const { id } = await jobs.enqueue({ kind: waitKind, payload: { command: 'true', blocks: false } });
    const first = await startRunner();
    await expect.poll(async () => (await jobs.find(id)).message).toBe('waiting');
    runners.length = 0;
    await first.stop(AbortSignal.timeout(5_000));
    const { rows } = await jobs.control.query(
      'SELECT state, start_after <= now() AS is_due FROM pgboss.job WHERE id = $1',
      [id],
    );
    expect(rows).toEqual([{ state: 'retry', is_due: true }]);
    await startRunner();
    await expect.poll(async () => (await jobs.find(id)).message).toBe('waiting');
    expect(await jobs.find(id)).toMatchObject({ state: 'active', attempt: 2, failures: 0 });
    await jobs.admin.request('POST', `/v1/jobs/${id}/cancel`);
    expect(await jobs.admin.waitForJob(id)).toMatchObject({ state: 'cancelled', cancel_requested: true });
    const audit = await jobs.control.query(
      `SELECT action, actor FROM control.audit_log WHERE after ->> 'job' = $1 ORDER BY id`,
      [id],
    );
    expect(audit.rows).toMatchObject([
      { action: 'job.cancel' },
      { action: 'job.cancelled', actor: 'runner' },
    ]);
  });

  test('the API answers while every runner is held up with all of its process', async () => {
    const go = join(directory, 'go');
    const block = () =>
      jobs.enqueue({
        kind: waitKind,
        payload: { command: `while [ ! -e '${go}' ]; do sleep 0.05; done`, blocks: true },
      });
    const held = await Promise.all([block(), block()]);
    const messages = async () =>
      (await Promise.all(held.map(({ id }) => jobs.find(id)))).map(({ message }) => message);
    // Either takes one: of this kind a runner works on one at a time.
    const processes = [jobs.startRunner(), jobs.startRunner()];
    await expect.poll(messages, { timeout: 20_000 }).toEqual(['waiting', 'waiting']);
    const tenant = await aTenant();
    const answers = await Promise.all([
      jobs.admin.request('GET', '/ready'),
      jobs.admin.request('GET', `/v1/tenants/${tenant}`),
      jobs.admin.request('GET', `/v1/jobs/${held[0].id}`),
      post(tenant, migration('SELECT 1')),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 202]);
    expect((await jobs.find(String(answers[3]?.body.job?.id))).state).toBe('queued');
    expect((await Promise.all(held.map((job) => jobs.find(job.id)))).map(({ state }) => state)).toEqual([
      'active',
      'active',
    ]);
    await writeFile(go, '');
    for (const job of held) expect(await jobs.admin.waitForJob(job.id)).toMatchObject({ state: 'completed' });
    await jobs.admin.waitForJob(String(answers[3]?.body.job?.id));
    for (const runner of processes) runner.kill('SIGTERM');
    expect(await Promise.all(processes.map(({ ended }) => ended))).toEqual([0, 0]);
  }, 60_000);
});

test('an API that is drained ends the streams of jobs that are not over', async () => {
  const { admin } = jobs;
  const { id } = await jobs.enqueue({ kind: ledgerKind, payload: { fails: false } });
  const server = await startApiServer({
    controlDatabaseUrl: new Secret(admin.controlUrl),
    masterKey: admin.masterKey,
    sharedDatabase: admin.sharedDatabase,
    observe: () => undefined,
    adminToken: new Secret(admin.adminToken),
    host: '127.0.0.1',
    port: 0,
    metrics: createMetrics({ withProcessMetrics: false }),
  });
  const response = await fetch(`http://127.0.0.1:${server.port}/v1/jobs/${id}/events`, {
    headers: { authorization: `Bearer ${admin.adminToken}` },
  });
  const [text] = await Promise.all([response.text(), server.drain(new AbortController().signal)]);
  expect(text).toContain('"state":"queued"');
  await server.close();
  await admin.request('POST', `/v1/jobs/${id}/cancel`);
});

describe('afterwards', () => {
  beforeEach(() => startRunner());

  test('jobs that ended long ago are forgotten with all that belongs to them', async () => {
    const tenant = await aTenant();
    const headers = { 'Idempotency-Key': `old-${tenant}` };
    const { body } = await post(tenant, migration('SELECT 1'), headers);
    const id = String(body.job?.id);
    await jobs.admin.waitForJob(id);
    await jobs.control.query(
      `UPDATE control.jobs SET finished_at = now() - interval '31 days' WHERE id = $1`,
      [id],
    );
    await jobs.boss.send(PRUNE_QUEUE);
    await expect.poll(() => countJobs(tenant), { timeout: 10_000 }).toBe(0);
    for (const table of ['job_events', 'job_log', 'idempotency_keys']) {
      const { rowCount } = await jobs.control.query(`SELECT FROM control.${table} WHERE job_id = $1`, [id]);
      expect([table, rowCount]).toEqual([table, 0]);
    }
    const { rows } = await jobs.control.query(`SELECT cron FROM pgboss.schedule WHERE name = 'prune-jobs'`);
    expect(rows).toEqual([{ cron: '23 * * * *' }]);
  });

  test('/metrics counts jobs by kind and state, with durations', async () => {
    const { id } = await jobs.enqueue({ kind: ledgerKind, payload: { fails: true } });
    await jobs.admin.waitForJob(id);
    await jobs.control.query(
      `INSERT INTO control.jobs (id, name) VALUES (gen_random_uuid(), 'test-metrics')`,
    );
    const { text } = await jobs.admin.request('GET', '/metrics');
    expect(text).toMatch(/^cascata_jobs\{kind="test-metrics",state="queued"\} 1$/m);
    expect(text).toMatch(/^cascata_jobs_oldest_seconds\{kind="test-metrics",state="queued"\} [0-9.e-]+$/m);
    const count = /^cascata_jobs_finished_total\{kind="test-ledger",state="failed"\} (\d+)$/m.exec(text)?.[1];
    expect(Number(count)).toBeGreaterThan(0);
    const series = 'kind="test-ledger",state="failed"';
    expect(text).toContain(`cascata_job_duration_seconds_bucket{${series},le="+Inf"} ${count}\n`);
    expect(text).toContain(`cascata_job_duration_seconds_count{${series}} ${count}\n`);
  });
});
