import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  startTestPostgres,
  systemPostgresBinaries,
  type TestPostgres,
} from '../../../test/support/postgres.ts';
import { PASSPHRASE, upload } from '../support/archive-client.ts';
import { archiveOf, partsOf } from '../support/archive-parts.ts';
import { type JobHarness, startJobHarness } from '../support/job-harness.ts';
import { KILL_POINTS } from '../support/kill-points.ts';
import { begin } from '../support/kill-runners.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

/** `npm run test:caf-kills`: every place there is. Otherwise those where most is under way. */
const ALL = process.env.CAF_TEST_ALL_KILLS !== undefined;

const EXPORT = KILL_POINTS['export-caf'];
const HYDRATE = KILL_POINTS['hydrate-caf'];
const CANCELLED = { state: 'cancelled', steps_begun: [] };

let postgres: TestPostgres;
let jobs: JobHarness;
let tenant: string;
let archive: Buffer;

/** A tenant is exported by runners that die, and its archive hydrated where it came from. */
beforeAll(async () => {
  postgres = await startTestPostgres({ binaries: await systemPostgresBinaries() });
  jobs = await startJobHarness({ serverUrl: postgres.url });
  const { admin } = jobs;
  tenant = admin.tenantId('k');
  await admin.request('POST', '/v1/tenants', { body: { id: tenant, hosts: [`${tenant}.test`] } });
  // Rows come in slowly, so that something can happen meanwhile.
  await admin.shared(`
    SET ROLE ${tenant}_owner;
    CREATE FUNCTION ${tenant}.slow(id int) RETURNS boolean LANGUAGE sql AS 'SELECT pg_sleep(0.3) IS NOT NULL';
    CREATE TABLE ${tenant}.notes (id int CHECK (${tenant}.slow(id)), text text);
    INSERT INTO ${tenant}.notes SELECT i, 'note ' || i FROM generate_series(1, 3) i;
    SELECT lo_from_bytea(0, '\\xcafe');
    RESET ROLE;`);
  await mkdir(join(admin.dataDir, 'storage', tenant), { recursive: true });
  await writeFile(join(admin.dataDir, 'storage', tenant, 'photo'), 'pixels');
});
afterAll(async () => {
  await jobs?.stop();
  await postgres?.stop();
});

/** Killed, cancelled, and killed in undoing it. */
async function killedAndCancelled(jobId: string, points: readonly string[], undone: readonly string[]) {
  (await jobs.killAt(jobId, points)).kill('SIGKILL');
  await jobs.admin.request('POST', `/v1/jobs/${jobId}/cancel`);
  return jobs.killAtAndEnd(jobId, undone);
}

async function ended(jobId: string): Promise<void> {
  await expect
    .poll(async () => (await jobs.find(jobId)).finished_at, { timeout: 120_000, interval: 50 })
    .not.toBeNull();
}

async function asked(path: string, body: object): Promise<string> {
  const accepted = await jobs.admin.request('POST', path, { body });
  expect(accepted.status, accepted.text).toBe(202);
  return String(accepted.body.job?.id);
}

/** Whatever a job of ours may leave behind, on disk and in the cluster. */
async function traces() {
  const { admin } = jobs;
  const files = await readdir(admin.dataDir, { recursive: true });
  return {
    files: files.filter((path) => !/^(?:uploads(?:\/|$)|(?:archives|work|storage)$)/.test(path)).toSorted(),
    logins: await admin.control(`SELECT rolname FROM pg_roles WHERE rolname LIKE 'cascata_run_%'`),
    roles: await admin.control('SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)', [tenant]),
    schemas: await admin.shared('SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1)', [tenant]),
    objects: await admin.shared('SELECT oid FROM pg_largeobject_metadata'),
    registry: await admin.control('SELECT id FROM control.tenants WHERE id = $1', [tenant]),
    connections: await admin.control(
      `SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'cascata-job %'`,
    ),
  };
}

const NOTHING = { files: [], logins: [], roles: [], schemas: [], objects: [], registry: [], connections: [] };

describe('kill -9 of the runner', () => {
  test.each([
    [EXPORT.cancelled, EXPORT.undone],
    [EXPORT.published, EXPORT.publishedUndone],
  ])(
    'in an export, %s, then cancelled, and killed as it is undone: no archive, login or file is left',
    async (points, undone) => {
      const before = await traces();
      const jobId = await asked(`/v1/tenants/${tenant}/export`, { passphrase: PASSPHRASE });
      expect(await killedAndCancelled(jobId, points, undone)).toMatchObject(CANCELLED);
      expect(await traces()).toEqual(before);
    },
  );

  const EXPORT_POINTS = ALL ? EXPORT.all : EXPORT.run;
  test(`at ${EXPORT_POINTS.length} places of an export: there is one archive, and it is whole`, async () => {
    const before = await traces();
    const { admin } = jobs;
    const jobId = await asked(`/v1/tenants/${tenant}/export`, { passphrase: PASSPHRASE });
    expect(await jobs.killAtAndEnd(jobId, EXPORT_POINTS)).toMatchObject({
      state: 'completed',
      failures: EXPORT_POINTS.length,
    });
    expect(await traces()).toEqual({
      ...before,
      files: [...before.files, `archives/${jobId}.caf`].toSorted(),
    });
    const bytes = await readFile(join(admin.dataDir, 'archives', `${jobId}.caf`));
    const parts = await partsOf(bytes, PASSPHRASE);
    // Sealed again, with a cheap key: it is opened many times.
    archive = await archiveOf(parts, PASSPHRASE);
    await admin.request('DELETE', `/v1/jobs/${jobId}/archive`);
    await admin.request('DELETE', `/v1/tenants/${tenant}?confirm=${tenant}`);
    await rm(join(admin.dataDir, 'storage', tenant), { recursive: true });
    expect(await traces()).toEqual(NOTHING);
  });

  test.each(ALL ? HYDRATE.allCancelled : HYDRATE.cancelled)(
    'in a hydration, %s, then cancelled, and killed as it is undone: nothing is left',
    async (point) => {
      const jobId = await asked('/v1/hydrate', {
        upload: await upload(jobs.admin, archive),
        passphrase: PASSPHRASE,
      });
      const undone = point === 'step-run verify' ? HYDRATE.verifyUndone : HYDRATE.undone;
      expect(await killedAndCancelled(jobId, [point], undone)).toMatchObject(CANCELLED);
      expect(await traces()).toEqual(NOTHING);
    },
  );

  test('a hydration that is cancelled while rows come in leaves nothing', async () => {
    const jobId = await asked('/v1/hydrate', {
      upload: await upload(jobs.admin, archive),
      passphrase: PASSPHRASE,
    });
    const runner = jobs.startRunner();
    await expect
      .poll(async () => (await jobs.find(jobId)).message, { timeout: 60_000, interval: 20 })
      .toBe('restoring');
    await jobs.admin.request('POST', `/v1/jobs/${jobId}/cancel`);
    await ended(jobId);
    runner.kill('SIGTERM');
    await runner.ended;
    expect(await jobs.find(jobId)).toMatchObject({ state: 'cancelled', steps_begun: [] });
    expect(await traces()).toEqual(NOTHING);
  });

  const BEFORE = ALL ? HYDRATE.allBefore : HYDRATE.before;
  const AFTER = ALL ? HYDRATE.allAfter : HYDRATE.after;
  const count = BEFORE.length + 1 + AFTER.length;
  test(`at ${count} places of a hydration, one of them as rows come in: the tenant is whole, and nothing else is there`, async () => {
    const { admin } = jobs;
    const uploadId = await upload(admin, archive);
    const jobId = await asked('/v1/hydrate', { upload: uploadId, passphrase: PASSPHRASE });
    const runner = await jobs.killAt(jobId, BEFORE);
    await begin(runner);
    await expect
      .poll(async () => (await jobs.find(jobId)).message, { timeout: 60_000, interval: 20 })
      .toBe('restoring');
    // pg_restore goes on by itself until the next runner cuts it off.
    runner.kill('SIGKILL');
    await runner.ended;
    await jobs.expireLease(jobId);
    expect(await jobs.killAtAndEnd(jobId, AFTER)).toMatchObject({
      state: 'completed',
      failures: count,
      result: { tables: 1 },
    });
    expect(await traces()).toMatchObject({
      files: [`storage/${tenant}`, `storage/${tenant}/photo`],
      logins: [],
      connections: [],
      schemas: [{ nspname: tenant }],
      registry: [{ id: tenant }],
    });
    expect(await readdir(join(admin.dataDir, 'uploads'))).not.toContain(uploadId);
    expect(await admin.shared(`SELECT id, text FROM ${tenant}.notes ORDER BY id`)).toEqual(
      [1, 2, 3].map((id) => ({ id, text: `note ${id}` })),
    );
  });
});
