import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { cronPostgresInstallation } from '../../../test/support/cron-postgres.ts';
import { databaseUrl } from '../../../test/support/database.ts';
import { startTestPostgres, type TestPostgres } from '../../../test/support/postgres.ts';
import { type AdminHarness, startAdminHarness } from '../support/admin-harness.ts';
import { exportTenant, hydrate } from '../support/archive-client.ts';

// Each archive is sealed and opened with scrypt at its full cost.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

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
    expect(await jobsIn(`cascata_t_${as}`)).toEqual(expected(as));
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
