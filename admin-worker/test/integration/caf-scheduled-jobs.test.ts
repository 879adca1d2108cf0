import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { cronPostgresInstallation } from '../../../test/support/cron-postgres.ts';
import { databaseUrl } from '../../../test/support/database.ts';
import { startTestPostgres, type TestPostgres } from '../../../test/support/postgres.ts';
import { startProcess } from '../../../test/support/processes.ts';
import { type AdminHarness, startAdminHarness } from '../support/admin-harness.ts';
import { exportTenant, hydrate } from '../support/archive-client.ts';
import { RESTING_KILL_POINTS } from '../support/kill-points.ts';
import { runnerVariables } from '../support/runner-variables.ts';

// Each archive is sealed and opened with scrypt at its full cost.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const RESTING_PROCESS = fileURLToPath(new URL('../support/resting-process.ts', import.meta.url));
const installation = await cronPostgresInstallation();
const isThere = 'binaries' in installation;
let postgres: TestPostgres;
let admin: AdminHarness;
let cron: pg.Client;

beforeAll(async () => {
  if (!isThere) {
    process.stderr.write(`NOT RUN: scheduled jobs in archives. pg_cron is ${installation.missing}\n`);
    return;
  }
  postgres = await startTestPostgres({
    binaries: installation.binaries,
    settings: { shared_preload_libraries: 'pg_cron', 'cron.database_name': 'postgres' },
  });
  admin = await startAdminHarness({ serverUrl: postgres.url });
  cron = new pg.Client({ connectionString: databaseUrl(postgres.url, 'postgres') });
  await cron.connect();
});
afterAll(async () => {
  await cron?.end();
  await admin?.stop();
  await postgres?.stop();
  if (isThere) await installation.remove();
});

async function jobsIn(database: string): Promise<object[]> {
  const { rows } = await cron.query(
    `SELECT jobname::text AS name, schedule, command, username, active FROM cron.job WHERE database = $1 ORDER BY jobid`,
    [database],
  );
  return rows;
}

test.skipIf(!isThere)(
  'jobs of pg_cron go with the tenant, as the roles they ran as; nobody else’s do, and none stays when it is gone',
  async () => {
    const id = admin.tenantId('c');
    const made = await admin.request('POST', '/v1/tenants', {
      body: { id, hosts: [`${id}.test`], placement: { kind: 'database' } },
    });
    expect(made.status, made.text).toBe(201);
    const database = `cascata_t_${id}`;
    await cron.query(`CREATE EXTENSION pg_cron; ALTER ROLE "${id}_owner" LOGIN`);
    const schedule = 'SELECT cron.schedule_in_database($1, $2, $3, $4, $5, $6)';
    const nightly = `SELECT 'key-of-the-tenant', now()`;
    await cron.query(schedule, ['nightly', '5 3 * * *', nightly, database, `${id}_owner`, true]);
    await cron.query(schedule, ['off', '@monthly', 'VACUUM', database, `${id}_login`, false]);
    await cron.query(schedule, ['the operator’s', '0 0 1 1 *', 'SELECT 1', database, 'postgres', true]);
    const { rows } = await cron.query(`SELECT cron.schedule('0 4 * * 1', 'SELECT 2') AS id`);
    await cron.query('SELECT cron.alter_job($1, NULL, NULL, $2, $3)', [rows[0].id, database, `${id}_owner`]);
    const expected = (tenant: string) => [
      { name: 'nightly', schedule: '5 3 * * *', command: nightly, username: `${id}_owner`, active: true },
      { name: 'off', schedule: '@monthly', command: 'VACUUM', username: `${tenant}_login`, active: false },
      { name: null, schedule: '0 4 * * 1', command: 'SELECT 2', username: `${id}_owner`, active: true },
    ];

    // Whoever moves the tenant elsewhere is told that they stay.
    const { body: told } = await admin.request('POST', `/v1/tenants/${id}/eject/preflight`, {
      body: { remote_connection_string: databaseUrl(postgres.url, 'template1') },
    });
    expect(told.findings).toContainEqual(
      expect.objectContaining({
        severity: 'warning',
        code: 'scheduled_jobs',
        text: expect.stringMatching(/^2 jobs of pg_cron /),
      }),
    );

    const archive = await exportTenant(admin, id);
    expect(archive.includes('key-of-the-tenant')).toBe(false);
    expect((await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}`)).status).toBe(204);
    expect(await jobsIn(database)).toMatchObject([{ username: 'postgres' }]);

    const as = admin.tenantId('c');
    const job = await hydrate(admin, archive, { as, hosts: [`${as}.test`] });
    expect(job.state, JSON.stringify(job.error)).toBe('completed');
    await expect.poll(() => jobsIn(`cascata_t_${as}`)).toEqual(expected(as));
    const { text } = await admin.request('GET', `/v1/jobs/${job.id}/log`, {
      headers: { accept: 'text/plain' },
    });
    expect(text).toContain(`cannot run jobs as ${id}_owner`);
    expect((await admin.request('DELETE', `/v1/tenants/${as}?confirm=${as}`)).status).toBe(204);
    expect(await jobsIn(`cascata_t_${as}`)).toEqual([]);

    // Without pg_cron they cannot be kept, and whoever hydrates says whether they are wanted.
    await cron.query('DELETE FROM cron.job; DROP EXTENSION pg_cron');
    const again = { as, hosts: [`${as}.test`], dry_run: true };
    expect(await hydrate(admin, archive, again)).toMatchObject({
      state: 'failed',
      error: { code: 'no-pg-cron' },
    });
    const without = await hydrate(admin, archive, { ...again, leave_out: ['scheduled_jobs'] });
    expect(without.state, JSON.stringify(without.error)).toBe('completed');
  },
);

describe.skipIf(!isThere)(
  'scheduled jobs rest while their tenant does, and go on exactly as they were',
  () => {
    let id: string;
    let gateway: Server;
    /** What the other installation's gateway says of the tenant; stands in for it. */
    let isServed = false;
    const OPERATORS = 'the operator’s';
    const ALL = ['a', 'b', OPERATORS];

    const active = async () => {
      const { rows } = await cron.query<{ name: string }>(
        'SELECT jobname::text AS name FROM cron.job WHERE active AND database = $1 ORDER BY 1',
        [`cascata_t_${id}`],
      );
      return rows.map(({ name }) => name);
    };
    const noted = () => admin.control('SELECT cardinality(jobs) AS jobs, is_done FROM control.paused_jobs');
    const atRest = async () => [await active(), await noted()];
    const RESTING = [[OPERATORS], [{ jobs: 2, is_done: true }]];
    const post = async (path: string, body: object = {}) => {
      const answer = await admin.request('POST', `/v1/tenants/${id}/${path}`, { body });
      expect(answer.status, answer.text).toBeLessThan(202);
      return answer.body;
    };
    const end = (path: string) => admin.request('DELETE', `/v1/tenants/${id}${path}`);
    const setStatus = (status: string) => admin.request('PATCH', `/v1/tenants/${id}`, { body: { status } });

    beforeAll(async () => {
      id = admin.tenantId('r');
      const body = { id, hosts: [`${id}.test`], placement: { kind: 'database' } };
      await admin.request('POST', '/v1/tenants', { body });
      await cron.query(`CREATE EXTENSION pg_cron; ALTER ROLE "${id}_owner" LOGIN`);
      const schedule = `SELECT cron.schedule_in_database($1, '5 3 * * *', 'SELECT 1', $2, $3, $4)`;
      for (const [name, role, isActive] of [
        ['a', `${id}_owner`, true],
        ['b', `${id}_login`, true],
        ['off', `${id}_login`, false],
        [OPERATORS, 'postgres', true],
      ]) {
        await cron.query(schedule, [name, `cascata_t_${id}`, role, isActive]);
      }
      gateway = createServer((_, answer) => {
        answer.writeHead(404, { 'X-Request-Id': 'x', 'Content-Type': 'application/json' });
        answer.end(JSON.stringify({ code: isServed ? 'PGRST202' : 'GW101' }));
      });
      await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
      const { port } = gateway.address() as AddressInfo;
      await post('move', { to: 'https://admin.b.test', gateway_url: `http://127.0.0.1:${port}` });
    });
    afterAll(() => gateway?.close());

    test('when it is suspended, and when a freeze is taken back or has expired', async () => {
      await setStatus('suspended');
      expect(await atRest()).toEqual(RESTING);
      await setStatus('active');
      expect(await atRest()).toEqual([ALL, []]);
      await post('move/freeze');
      expect(await atRest()).toEqual(RESTING);
      await post('move/unfreeze');
      expect(await atRest()).toEqual([ALL, []]);
      await post('move/freeze', { lease_seconds: 1 });
      expect(await active()).toEqual([OPERATORS]);
      await expect.poll(atRest, { timeout: 10_000 }).toEqual([ALL, []]);
    });

    test('also where whoever has them rest or go on is killed at any of his statements', async () => {
      const kill = async (action: keyof typeof RESTING_KILL_POINTS, point: string) => {
        const killed = startProcess([process.execPath, RESTING_PROCESS], {
          ...runnerVariables(admin),
          ACTION: action,
          TENANT: id,
          KILL_AT: point,
        });
        expect([action, point, await killed.ended], killed.output.stderr).toEqual([action, point, 'SIGKILL']);
      };
      const { suspend, activate, freeze, unfreeze } = RESTING_KILL_POINTS;
      for (const [index, point] of suspend.entries()) {
        await kill('suspend', point);
        await expect.poll(atRest, { timeout: 10_000 }).toEqual(RESTING);
        await kill('activate', activate[index]!);
        await expect.poll(atRest, { timeout: 10_000 }).toEqual([ALL, []]);
      }
      for (const point of freeze) {
        await kill('freeze', point);
        await expect.poll(() => statusOf(), { timeout: 10_000 }).toBe('active');
        await expect.poll(atRest, { timeout: 10_000 }).toEqual([ALL, []]);
      }
      // Whoever lets it go on is at it until that is recorded.
      const again = () => admin.request('POST', `/v1/tenants/${id}/move/freeze`, { body: {} });
      await expect.poll(async () => (await again()).status, { timeout: 10_000 }).toBe(200);
      await kill('unfreeze', unfreeze[0]);
      await expect.poll(atRest, { timeout: 10_000 }).toEqual([ALL, []]);
    });

    const statusOf = async () =>
      (await admin.request('GET', `/v1/tenants/${id}`)).body.tenant?.status as unknown;

    test('once it has moved: here until the old copy is opened again, there until the copy is opened', async () => {
      const moveAway = async () => {
        const { move } = await post('move/freeze');
        isServed = true;
        const archive = await exportTenant(admin, id);
        await post('move/forward', { freeze: move?.freeze });
        expect(await atRest()).toEqual(RESTING);
        await end('/forward');
        expect(await atRest()).toEqual(RESTING);
        return archive;
      };
      await moveAway();
      await end('/forward?old_copy=reopen&accept_data_loss=true');
      expect(await atRest()).toEqual([ALL, []]);

      // The other installation is this one, once nothing of the tenant is left here.
      isServed = false;
      const { port } = gateway.address() as AddressInfo;
      await post('move', { to: 'https://admin.b.test', gateway_url: `http://127.0.0.1:${port}` });
      const archive = await moveAway();
      await end(`?confirm=${id}`);
      expect(await atRest()).toEqual([[OPERATORS], []]);
      const copy = await hydrate(admin, archive, { status: 'suspended' });
      expect(copy.state, JSON.stringify(copy.error)).toBe('completed');
      expect(await atRest()).toEqual(RESTING);
      await setStatus('active');
      expect(await atRest()).toEqual([ALL, []]);
    });
  },
);
