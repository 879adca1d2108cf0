import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { runSql } from '../../../test/support/database.ts';
import {
  startTestPostgres,
  systemPostgresBinaries,
  type TestPostgres,
} from '../../../test/support/postgres.ts';
import { ArchiveFile } from '../../archive/archive-file.ts';
import { TenantContent } from '../../caf/content.ts';
import { findPostgresTools, requirePostgresTools } from '../../postgres-tools/find-tools.ts';
import { type AdminHarness, startAdminHarness } from '../support/admin-harness.ts';
import { exportArchive, PASSPHRASE } from '../support/archive-client.ts';

let postgres: TestPostgres;
let admin: AdminHarness;

beforeAll(async () => {
  postgres = await startTestPostgres({ binaries: await systemPostgresBinaries() });
  admin = await startAdminHarness({ serverUrl: postgres.url });
});
afterAll(async () => {
  await admin?.stop();
  await postgres?.stop();
});

async function aTenant(kind: 'shared' | 'database', secret: string): Promise<string> {
  const id = admin.tenantId('e');
  const made = await admin.request('POST', '/v1/tenants', {
    body: { id, hosts: [`${id}.test`], placement: { kind }, jwt: { secret } },
  });
  expect(made.status, made.text).toBe(201);
  return id;
}

const exported = (id: string) => exportArchive(admin, id);

async function withDownloaded<T>(bytes: Buffer, use: (archive: ArchiveFile) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'cascata-export-'));
  await writeFile(join(directory, 'x.caf'), bytes);
  const archive = await ArchiveFile.open(join(directory, 'x.caf'), {
    passphrase: new Secret(PASSPHRASE),
    limits: { maxContentBytes: 2 ** 40 },
  });
  try {
    await archive.verify();
    return await use(archive);
  } finally {
    await archive.close();
    await rm(directory, { recursive: true });
  }
}

test.each(['shared', 'database'] as const)(
  'a %s tenant becomes one archive with its rows, settings and sealed secrets, and no other tenant in it',
  async (kind) => {
    const secret = `secret-of-the-tenant-${kind}-0123456789`;
    const other = await aTenant(kind, 'another-secret-0123456789-0123456789');
    const id = await aTenant(kind, secret);
    await admin.migrate(other, 'CREATE TABLE theirs (id int); INSERT INTO theirs VALUES (1)');
    const migrated = await admin.migrate(
      id,
      `CREATE TABLE books (id int PRIMARY KEY, title text);
       INSERT INTO books SELECT i, 'book ' || i FROM generate_series(1, 100) i;
       ALTER TABLE books ENABLE ROW LEVEL SECURITY; ALTER TABLE books FORCE ROW LEVEL SECURITY;
       CREATE TABLE nothing (id int);
       SELECT lo_from_bytea(0, '\\xcafe');`,
    );
    expect(migrated.state, JSON.stringify(migrated.error)).toBe('completed');
    const { bytes, jobId } = await exported(id);

    expect(bytes.includes(secret)).toBe(false);
    await withDownloaded(bytes, async (archive) => {
      const content = TenantContent.parse(archive.scanned.manifest.content);
      expect(content.tables.map(({ name, rows }) => ({ name, rows }))).toEqual([
        { name: 'books', rows: '100' },
        { name: 'nothing', rows: '0' },
      ]);
      expect(content.schemas).toEqual([kind === 'shared' ? id : 'public']);
      const document = JSON.parse(await archive.readText('tenant'));
      expect(document).toMatchObject({ id, hosts: [`${id}.test`], placement: kind, jwt_kind: 'secret' });
      expect(document.migrations).toHaveLength(1);
      const secrets = JSON.parse((await archive.readSealed('secrets')).toString());
      expect(Buffer.from(secrets.jwt, 'base64').toString()).toBe(secret);
      expect(secrets.api_keys).toHaveLength(2);
      expect((await archive.readText('database/dump')).includes('theirs')).toBe(false);
      expect(archive.entries.filter(({ name }) => name.startsWith('large-objects/'))).toHaveLength(1);
    });
    const { status } = await admin.request('DELETE', `/v1/jobs/${jobId}/archive`);
    expect(status).toBe(204);
    expect(await readdir(join(admin.dataDir, 'archives'))).toEqual([]);
    expect((await admin.request('GET', `/v1/jobs/${jobId}/archive`)).status).toBe(404);
  },
);

test('a tenant that was moved away is exported from where it is now, with the same content, and frozen there', async () => {
  const elsewhere = await startTestPostgres({ binaries: await systemPostgresBinaries() });
  try {
    const id = await aTenant('shared', 'the-secret-of-one-that-moves-0123456789');
    const migrated = await admin.migrate(
      id,
      `CREATE TABLE books (id int PRIMARY KEY, title text); INSERT INTO books SELECT i, 'book ' || i FROM generate_series(1, 50) i;
       ALTER TABLE books ENABLE ROW LEVEL SECURITY;`,
    );
    expect(migrated.state, JSON.stringify(migrated.error)).toBe('completed');
    const contentOf = async () =>
      withDownloaded((await exported(id)).bytes, async (archive) => ({
        content: TenantContent.parse(archive.scanned.manifest.content),
        tenant: JSON.parse(await archive.readText('tenant')),
      }));
    const before = await contentOf();
    const moving = await admin.request('POST', `/v1/tenants/${id}/eject`, {
      body: { remote_connection_string: elsewhere.url, mode: 'offline' },
    });
    const moved = await admin.waitForJob(String(moving.body.job?.id));
    expect(moved.state, JSON.stringify(moved.error)).toBe('completed');
    await admin.shared(
      `DROP TRIGGER cascata_fence ON ${id}.books; UPDATE ${id}.books SET title = 'old copy'`,
    );
    expect(await contentOf()).toEqual(before);

    // And it is frozen where it is now.
    await admin.control(
      `INSERT INTO control.moves (tenant_id, destination, gateway_url, status_before) VALUES ($1, 'https://b.test', 'https://g.test', 'active')`,
      [id],
    );
    const write = () => runSql(elsewhere.url, `INSERT INTO ${id}.books VALUES (51)`);
    const frozen = await admin.request('POST', `/v1/tenants/${id}/move/freeze`, { body: {} });
    expect(frozen.status, frozen.text).toBe(200);
    await expect(write()).rejects.toMatchObject({ code: 'CE103' });
    const asked = await admin.request('POST', `/v1/tenants/${id}/digest`, {
      body: { passphrase: PASSPHRASE, what: 'all' },
    });
    const digest = await admin.waitForJob(String(asked.body.job?.id));
    expect(digest).toMatchObject({ state: 'completed', result: { tables: before.content.tables } });
    expect((await admin.request('POST', `/v1/tenants/${id}/move/unfreeze`)).status).toBe(200);
    await write();
  } finally {
    await elsewhere.stop();
  }
}, 60_000);

test('no login of an export is left behind', async () => {
  expect(await admin.control(`SELECT rolname FROM pg_roles WHERE rolname LIKE 'cascata_run_%'`)).toEqual([]);
});

test('a missing or too old pg_dump is said with what to install', async () => {
  await expect(requirePostgresTools(15, ['/nowhere'])).rejects.toMatchObject({
    code: 'no-pg-dump',
    message: expect.stringContaining('postgresql-client-15'),
  });
  const { pgDump, major } = (await findPostgresTools(1))!;
  await expect(requirePostgresTools(major + 1, [dirname(pgDump)])).rejects.toMatchObject({
    message: expect.stringContaining(`${major + 1} or newer`),
  });
});
