import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import pg from 'pg';
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
import { type ObjectStore, startObjectStore } from '../support/object-store.ts';
import { startVectorServer, type VectorServer } from '../support/vector-server.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

/** `npm run test:caf-kills`: every place there is. Otherwise those where most is under way. */
const ALL = process.env.CAF_TEST_ALL_KILLS !== undefined;

const EXPORT = KILL_POINTS['export-caf'];
const HYDRATE = KILL_POINTS['hydrate-caf'];
const CANCELLED = { state: 'cancelled', steps_begun: [] };

let postgres: TestPostgres;
let jobs: JobHarness;
let store: ObjectStore;
let vectors: VectorServer;
let tenant: string;
let archive: Buffer;

/** A tenant is exported by runners that die, and its archive hydrated where it came from. */
beforeAll(async () => {
  postgres = await startTestPostgres({ binaries: await systemPostgresBinaries() });
  jobs = await startJobHarness({ serverUrl: postgres.url });
  store = await startObjectStore();
  vectors = await startVectorServer();
  for (const name of ['one', 'two']) vectors.add(name, [{ id: '1', payload: { name }, vector: [1, 2, 3] }]);
  const { admin } = jobs;
  tenant = admin.tenantId('k');
  const made = await admin.request('POST', '/v1/tenants', {
    body: { id: tenant, hosts: [`${tenant}.test`], backends: { vectors: qdrant() } },
  });
  expect(made.status, made.text).toBe(201);
  // Rows come in slowly, so that something can happen meanwhile.
  await admin.shared(`
    SET ROLE ${tenant}_owner;
    CREATE FUNCTION ${tenant}.slow(id int) RETURNS boolean LANGUAGE sql AS 'SELECT pg_sleep(0.3) IS NOT NULL';
    CREATE TABLE ${tenant}.notes (id int CHECK (${tenant}.slow(id)), text text);
    INSERT INTO ${tenant}.notes SELECT i, 'note ' || i FROM generate_series(1, 3) i;
    SELECT lo_from_bytea(0, '\\xcafe');
    RESET ROLE;`);
  await mkdir(join(admin.dataDir, 'storage', tenant), { recursive: true });
  for (const name of ['photo', 'second']) {
    await writeFile(join(admin.dataDir, 'storage', tenant, name), 'pixels');
  }
});
afterAll(async () => {
  await jobs?.stop();
  await postgres?.stop();
  await store?.stop();
  await vectors?.stop();
});

function qdrant() {
  return { kind: 'qdrant', url: vectors.url, api_key: vectors.apiKey };
}

function elsewhere() {
  return { backends: { storage: store.backend('hydrated/'), vectors: qdrant() } };
}

/** Between objects, and between collections. */
function pointsElsewhere(): readonly string[] {
  return [`answered PUT /${store.bucket}/`, 'answered POST /collections/one/snapshots/upload'];
}

async function keysOfStore(): Promise<readonly string[]> {
  const { Contents = [] } = await store.client.send(
    new ListObjectsV2Command({ Bucket: store.bucket, Prefix: 'hydrated/' }),
  );
  return Contents.map(({ Key = '' }) => Key).toSorted();
}

/** Kills the runner while its pg_dump waits for a table, which goes on by itself until the next runner cuts it off. */
async function killWithinDump(jobId: string): Promise<void> {
  const blocker = new pg.Client({ connectionString: jobs.admin.sharedUrl });
  await blocker.connect();
  try {
    await blocker.query(`BEGIN; LOCK TABLE ${tenant}.notes IN ACCESS EXCLUSIVE MODE`);
    const runner = jobs.startRunner();
    const waiting = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE %'`;
    await expect
      .poll(() => jobs.admin.control(waiting), { timeout: 60_000, interval: 20 })
      .toEqual([{ n: 1 }]);
    runner.kill('SIGKILL');
    await runner.ended;
    await jobs.expireLease(jobId);
  } finally {
    await blocker.end();
  }
}

/** @param options of the request, beside the archive and its passphrase */
async function hydrating(options: object = { leave_out: ['vectors'] }): Promise<string> {
  const uploadId = await upload(jobs.admin, archive);
  return asked('/v1/hydrate', { upload: uploadId, passphrase: PASSPHRASE, ...options });
}

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
    roles: await admin.control('SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1) ORDER BY 1', [
      tenant,
    ]),
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
  test(`at ${EXPORT_POINTS.length + 1} places of an export, one of them within pg_dump: there is one archive, and it is whole`, async () => {
    const before = await traces();
    const { admin } = jobs;
    const jobId = await asked(`/v1/tenants/${tenant}/export`, { passphrase: PASSPHRASE });
    await killWithinDump(jobId);
    expect(await jobs.killAtAndEnd(jobId, EXPORT_POINTS)).toMatchObject({
      state: 'completed',
      failures: EXPORT_POINTS.length + 1,
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
    vectors.collections.clear();
    expect(await traces()).toEqual(NOTHING);
  });

  test.each(ALL ? HYDRATE.allCancelled : HYDRATE.cancelled)(
    'in a hydration, %s, then cancelled, and killed as it is undone: nothing is left',
    async (point) => {
      const jobId = await hydrating();
      const undone = point === 'step-run verify' ? HYDRATE.verifyUndone : HYDRATE.undone;
      expect(await killedAndCancelled(jobId, [point], undone)).toMatchObject(CANCELLED);
      expect(await traces()).toEqual(NOTHING);
    },
  );

  test('a hydration that is cancelled while rows come in leaves nothing', async () => {
    const jobId = await hydrating();
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

  test('between objects that are put and collections that are made, then cancelled, and killed as it is undone: nothing is left', async () => {
    const jobId = await hydrating(elsewhere());
    (await jobs.killAt(jobId, pointsElsewhere())).kill('SIGKILL');
    expect([...vectors.collections.keys()]).toContain('one');
    expect(await keysOfStore()).toHaveLength(2);
    await jobs.admin.request('POST', `/v1/jobs/${jobId}/cancel`);
    expect(await jobs.killAtAndEnd(jobId, ['undo-run restore'])).toMatchObject(CANCELLED);
    expect(await traces()).toEqual(NOTHING);
    expect(await keysOfStore()).toEqual([]);
    expect([...vectors.collections.keys()]).toEqual([]);
  });

  test('between objects that are put and collections that are made: all of them are there, once', async () => {
    const jobId = await hydrating(elsewhere());
    expect(await jobs.killAtAndEnd(jobId, pointsElsewhere())).toMatchObject({
      state: 'completed',
      failures: 2,
    });
    expect(await keysOfStore()).toEqual(['hydrated/photo', 'hydrated/second']);
    expect([...vectors.collections].map(([name, { points }]) => [name, points.size])).toEqual([
      ['one', 1],
      ['two', 1],
    ]);
    await jobs.admin.request('DELETE', `/v1/tenants/${tenant}?confirm=${tenant}`);
  });

  const BEFORE = ALL ? HYDRATE.allBefore : HYDRATE.before;
  const AFTER = ALL ? HYDRATE.allAfter : HYDRATE.after;
  const count = BEFORE.length + 1 + AFTER.length;
  test(`at ${count} places of a hydration, one of them as rows come in: the tenant is whole, and nothing else is there`, async () => {
    const { admin } = jobs;
    const uploadId = await upload(admin, archive);
    const jobId = await asked('/v1/hydrate', {
      upload: uploadId,
      passphrase: PASSPHRASE,
      leave_out: ['vectors'],
    });
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
      files: [`storage/${tenant}`, `storage/${tenant}/photo`, `storage/${tenant}/second`],
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

  test('where one hydrated tenant replaces another: it is whole, and its files are there; cancelled and killed as it is undone, nothing of either is left', async () => {
    const { admin } = jobs;
    const [{ first }] = (await admin.control<{ first: string }>(
      'SELECT hydrated_by AS first FROM control.tenants WHERE id = $1',
      [tenant],
    )) as [{ first: string }];
    await admin.request('PATCH', `/v1/tenants/${tenant}`, { body: { status: 'suspended' } });
    const leave_out = ['files', 'vectors'];
    const exportId = await asked(`/v1/tenants/${tenant}/export`, { passphrase: PASSPHRASE, leave_out });
    expect(await jobs.killAtAndEnd(exportId, [])).toMatchObject({ state: 'completed' });
    archive = await readFile(join(admin.dataDir, 'archives', `${exportId}.caf`));
    await admin.request('DELETE', `/v1/jobs/${exportId}/archive`);
    await admin.shared(`DELETE FROM ${tenant}.notes WHERE id = 2`);
    const before = await traces();

    const jobId = await hydrating({ replaces: first, status: 'suspended' });
    expect(await jobs.killAtAndEnd(jobId, HYDRATE.replacing)).toMatchObject({
      state: 'completed',
      failures: HYDRATE.replacing.length,
    });
    expect(await traces()).toEqual({ ...before, objects: [expect.anything()] });
    expect(await admin.shared(`SELECT count(*)::int AS rows FROM ${tenant}.notes`)).toEqual([{ rows: 3 }]);

    const second = await hydrating({ replaces: jobId });
    expect(await killedAndCancelled(second, HYDRATE.replacing, HYDRATE.replacingUndone)).toMatchObject(
      CANCELLED,
    );
    expect(await traces()).toEqual(NOTHING);
  });
});
