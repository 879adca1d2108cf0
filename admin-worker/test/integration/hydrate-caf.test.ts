import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { databaseUrl } from '../../../test/support/database.ts';
import {
  startTestPostgres,
  systemPostgresBinaries,
  type TestPostgres,
} from '../../../test/support/postgres.ts';
import { ArchiveFile } from '../../archive/archive-file.ts';
import { TenantContent } from '../../caf/content.ts';
import { type AdminHarness, startAdminHarness } from '../support/admin-harness.ts';
import { asVersion1, exportTenant, hydrate, PASSPHRASE, upload } from '../support/archive-client.ts';
import { typeZoo } from '../support/type-zoo.ts';

// Each archive is sealed and opened with scrypt at its full cost.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

/** Of the widest row. `npm run test:caf-100mb` has one of 100. */
const ROW_MEGABYTES = Number(process.env.CAF_TEST_ROW_MB ?? 6);

const servers: TestPostgres[] = [];
let origin: AdminHarness;
let target: AdminHarness;

beforeAll(async () => {
  const binaries = await systemPostgresBinaries();
  for (let i = 0; i < 2; i++) servers.push(await startTestPostgres({ binaries }));
  origin = await startAdminHarness({ serverUrl: servers[0]!.url });
  target = await startAdminHarness({ serverUrl: servers[1]!.url });
});
afterAll(async () => {
  await origin?.stop();
  await target?.stop();
  for (const server of servers) await server.stop();
});

async function aTenant(kind: 'shared' | 'database'): Promise<string> {
  const id = origin.tenantId('h');
  const made = await origin.request('POST', '/v1/tenants', {
    body: {
      id,
      hosts: [`${id}.test`, `*.${id}.test`],
      placement: { kind },
      limits: { max_in_flight: 7, max_queue: 0, requests_per_second: 50, max_replica_lag_ms: 0 },
      postgrest: { 'db-max-rows': 11, 'app.settings.api_secret': 'hidden' },
    },
  });
  expect(made.status, made.text).toBe(201);
  return id;
}

/** Everything in an archive that has to be the same after a round trip. */
async function contentOf(bytes: Buffer) {
  const directory = await mkdtemp(join(tmpdir(), 'cascata-hydrate-'));
  await writeFile(join(directory, 'x.caf'), bytes);
  const archive = await ArchiveFile.open(join(directory, 'x.caf'), {
    passphrase: new Secret(PASSPHRASE),
    limits: { maxContentBytes: 2 ** 40 },
  });
  try {
    return {
      content: TenantContent.parse(archive.scanned.manifest.content),
      tenant: JSON.parse(await archive.readText('tenant')),
      secrets: JSON.parse((await archive.readSealed('secrets')).toString()),
      objects: archive.entries
        .filter(({ name }) => /^(?:large-objects|storage)\//.test(name))
        .map(({ name, sha256, size, meta }) => ({ name, sha256, size, meta })),
    };
  } finally {
    await archive.close();
    await rm(directory, { recursive: true });
  }
}

function databaseOf(admin: AdminHarness, kind: 'shared' | 'database', id: string): string {
  return kind === 'shared' ? admin.sharedUrl : databaseUrl(admin.controlUrl, `cascata_t_${id}`);
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** What the catalog says of a tenant's objects, by name. */
function describe(schema: string): string {
  return `
    SELECT 'relation' AS what, c.relname::text AS name, concat_ws(' ', c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity,
        c.relispopulated, c.reloptions, r.rolname, obj_description(c.oid, 'pg_class'),
        (SELECT string_agg(a::text, ' ' ORDER BY a::text COLLATE "C") FROM unnest(c.relacl) a),
        pg_get_viewdef(c.oid), pg_get_expr(c.relpartbound, c.oid)) AS is
    FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE c.relnamespace = '"${schema}"'::regnamespace
    UNION ALL
    SELECT 'column', c.relname || '.' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
        pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum), a.attacl)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = '"${schema}"'::regnamespace
    UNION ALL
    SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = '"${schema}"'::regnamespace
    UNION ALL
    SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = '${schema}'
    UNION ALL
    SELECT 'policy', policyname, concat_ws(' ', tablename, roles, cmd, qual, with_check) FROM pg_policies WHERE schemaname = '${schema}'
    UNION ALL
    SELECT 'routine', proname, concat_ws(' ', prokind, CASE WHEN prokind = 'f' THEN pg_get_functiondef(oid) END,
        (SELECT string_agg(a::text, ' ' ORDER BY a::text COLLATE "C") FROM unnest(proacl) a))
    FROM pg_proc WHERE pronamespace = '"${schema}"'::regnamespace
    UNION ALL
    SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = '"${schema}"'::regnamespace)
    UNION ALL
    SELECT 'rule', rulename, definition FROM pg_rules WHERE schemaname = '${schema}'
    UNION ALL
    SELECT 'sequence', sequencename, concat_ws(' ', start_value, increment_by, max_value, last_value) FROM pg_sequences WHERE schemaname = '${schema}'
    UNION ALL
    SELECT 'comment', pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description FROM pg_description d JOIN pg_depend n
      ON n.classid = d.classoid AND n.objid = d.objoid AND n.refclassid = 'pg_namespace'::regclass AND n.refobjid = '"${schema}"'::regnamespace
    UNION ALL
    SELECT 'type', t.typname, concat_ws(' ', t.typtype, t.typnotnull, pg_get_expr(t.typdefaultbin, 0), format_type(t.typbasetype, t.typtypmod), r.rngsubtype::regtype, r.rngmultitypid::regtype)
    FROM pg_type t LEFT JOIN pg_range r ON r.rngtypid = t.oid WHERE t.typnamespace = '"${schema}"'::regnamespace
    UNION ALL
    SELECT 'storage', a.attrelid::regclass || '.' || a.attname, concat_ws(' ', a.attstorage, a.attcompression, a.attstattarget)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'm') WHERE a.attnum > 0 AND c.relnamespace = '"${schema}"'::regnamespace
    UNION ALL
    SELECT 'cluster', i.indexrelid::regclass::text, concat_ws(' ', i.indisclustered, i.indisreplident, i.indnullsnotdistinct, i.indimmediate)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = '"${schema}"'::regnamespace
    UNION ALL
    SELECT 'words', c.cfgname || ' ' || m.maptokentype, m.mapdict::regdictionary::text
    FROM pg_ts_config c JOIN pg_ts_config_map m ON m.mapcfg = c.oid WHERE c.cfgnamespace = '"${schema}"'::regnamespace
    UNION ALL
    SELECT 'statistics', s.stxname, pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s WHERE s.stxnamespace = '"${schema}"'::regnamespace
    UNION ALL
    SELECT 'enum', t.typname, string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
    WHERE t.typnamespace = '"${schema}"'::regnamespace GROUP BY t.typname
    UNION ALL
    SELECT 'schema', nspname, (SELECT string_agg(a::text, ' ' ORDER BY a::text COLLATE "C") FROM unnest(nspacl) a) FROM pg_namespace WHERE nspname = '${schema}'
    UNION ALL
    SELECT 'defaults', defaclobjtype::text, (SELECT string_agg(a::text, ' ' ORDER BY a::text COLLATE "C") FROM unnest(defaclacl) a)
    FROM pg_default_acl WHERE defaclnamespace = '"${schema}"'::regnamespace
    ORDER BY 1, 2, 3`;
}

test.each(['shared', 'database'] as const)(
  'a %s tenant with one of everything is the same, to the last byte, after a round trip to another installation',
  async (kind) => {
    const id = await aTenant(kind);
    const migrated = await origin.migrate(id, typeZoo({ megabytes: ROW_MEGABYTES }));
    expect(migrated.state, JSON.stringify(migrated.error)).toBe('completed');
    const schema = kind === 'shared' ? id : 'public';
    const first = await exportTenant(origin, id);

    const job = await hydrate(target, first);
    expect(job.state, JSON.stringify(job.error)).toBe('completed');

    const before = await contentOf(first);
    const after = await contentOf(await exportTenant(target, id));
    expect(before.content.tables.length).toBeGreaterThan(24);
    expect(before.objects).toHaveLength(2);
    expect(before.content.storage).toBe('none');
    expect(after).toEqual(before);
    const [there, here] = await Promise.all(
      [origin, target].map((admin) => query(databaseOf(admin, kind, id), describe(schema))),
    );
    expect(there!.length).toBeGreaterThan(350);
    expect(here).toEqual(there);
    const keys = await Promise.all(
      [origin, target].map(async (admin) => (await admin.request('GET', `/v1/tenants/${id}/keys`)).body),
    );
    expect(keys[1]).toEqual(keys[0]);
    const shown = await target.request('GET', `/v1/tenants/${id}`);
    expect(shown.body.tenant).toMatchObject({
      status: 'active',
      hosts: [`*.${id}.test`, `${id}.test`],
      limits: {
        max_in_flight: 7,
        max_queue: 0,
        requests_per_second: 50,
        max_replica_lag_ms: 0,
        max_rows: null,
      },
    });
  },
);

test('a tenant out of an archive of version 1 can be migrated further, and knows what was applied', async () => {
  const id = await aTenant('database');
  await origin.migrate(
    id,
    'CREATE TABLE one (id int GENERATED ALWAYS AS IDENTITY, note text); INSERT INTO one (note) VALUES (1)',
  );
  const digest = `SELECT sum(hashtextextended(ROW(id, note)::text COLLATE "C", 0))::text AS one FROM one`;
  const [first] = await query(databaseOf(origin, 'database', id), digest);
  const archive = await exportTenant(origin, id);
  const old = await asVersion1(archive, { one: String(Object(first).one) });
  const wrong = await hydrate(target, await asVersion1(archive, { one: '1' }));
  expect(wrong, JSON.stringify(wrong.error)).toMatchObject({
    error: { code: 'different-content' },
  });
  const job = await hydrate(target, old);
  expect(job.state, JSON.stringify(job.error)).toBe('completed');
  const next = await target.migrate(id, "INSERT INTO one (note) VALUES ('two'); CREATE TABLE two (id int)");
  expect(next.state, JSON.stringify(next.error)).toBe('completed');
  expect(await query(databaseOf(target, 'database', id), 'SELECT id, note FROM one ORDER BY id')).toEqual([
    { id: 1, note: '1' },
    { id: 2, note: 'two' },
  ]);
});

test('what is taken is refused by name, with a way round that works', async () => {
  const id = await aTenant('shared');
  await origin.migrate(id, 'CREATE TABLE mine (id int); INSERT INTO mine VALUES (5)');
  const archive = await exportTenant(origin, id);
  const body = { upload: await upload(origin, archive), passphrase: PASSPHRASE };
  expect(await origin.request('POST', '/v1/hydrate', { body })).toMatchObject({
    status: 409,
    body: { message: `There is a tenant '${id}' already` },
  });

  const other = target.tenantId('o');
  await target.request('POST', '/v1/tenants', { body: { id: other, hosts: [`${id}.test`] } });
  expect(await hydrate(target, archive)).toMatchObject({
    state: 'failed',
    error: {
      code: 'conflict',
      message: expect.stringContaining(`'${id}.test' belongs to the tenant '${other}'`),
    },
  });
  const as = target.tenantId('x');
  const job = await hydrate(target, archive, { as, hosts: [`${as}.test`] });
  expect(job.state, JSON.stringify(job.error)).toBe('completed');
  expect(await query(target.sharedUrl, `SELECT id FROM "${id}".mine`)).toEqual([{ id: 5 }]);
  // The names of the origin are in use now, under another id.
  const late = await target.request('POST', '/v1/tenants', { body: { id, hosts: ['late.test'] } });
  expect(late).toMatchObject({ status: 409, body: { message: expect.stringContaining(as) } });
});

test('a wrong passphrase or a damaged upload touches nothing', async () => {
  const id = await aTenant('database');
  const archive = await exportTenant(origin, id);
  expect(await hydrate(target, archive, { passphrase: 'another passphrase' })).toMatchObject({
    state: 'failed',
    error: { code: 'wrong-passphrase' },
  });
  const damaged = Buffer.from(archive);
  damaged[Math.floor(archive.length / 2)]! ^= 4;
  expect(await hydrate(target, damaged)).toMatchObject({ state: 'failed' });
  expect((await target.request('GET', `/v1/tenants/${id}`)).status).toBe(404);
  expect(await target.control(`SELECT FROM pg_roles WHERE starts_with(rolname, $1)`, [id])).toEqual([]);
  expect(await target.control('SELECT FROM pg_database WHERE datname = $1', [`cascata_t_${id}`])).toEqual([]);
});

test('an upload goes on where it broke, and says where that is', async () => {
  const begun = await target.request('POST', '/v1/uploads');
  const path = `/v1/uploads/${begun.body.upload?.id}`;
  const put = (range: string, body: string) =>
    target.request('PUT', path, { body, headers: { 'content-range': range } });
  expect((await put('bytes 0-4/10', 'hello')).body.upload?.offset).toBe(5);
  expect(await put('bytes 7-9/10', 'xyz')).toMatchObject({
    status: 409,
    body: { message: expect.stringContaining('has 5 bytes') },
  });
  expect((await target.request('GET', path)).body.upload?.offset).toBe(5);
  // Longer than it says it is: nothing of it is kept.
  expect((await put('bytes 5-6/10', 'world')).status).toBe(400);
  expect((await put('bytes 6-5/10', 'w')).status).toBe(400);
  expect((await target.request('GET', path)).body.upload?.offset).toBe(5);
  expect((await put('bytes 5-9/10', 'world')).body.upload?.offset).toBe(10);
  const { status, body } = await target.request('POST', '/v1/hydrate', {
    body: { upload: begun.body.upload?.id, passphrase: PASSPHRASE },
  });
  expect({ status, code: body.code }).toEqual({ status: 400, code: 'invalid_request' });
  expect((await target.request('DELETE', path)).status).toBe(204);
  expect((await target.request('GET', path)).status).toBe(404);
});

test("a tenant's files arrive with their bytes, names and times, and never over files that are there", async () => {
  const id = await aTenant('shared');
  const big = randomBytes(5 * 1024 * 1024);
  const at = new Date('2020-02-02T02:02:02.000Z');
  const place = (admin: AdminHarness, ...path: string[]) => join(admin.dataDir, 'storage', id, ...path);
  await mkdir(place(origin, 'avatars', 'ünï'), { recursive: true });
  await writeFile(place(origin, 'avatars', 'ünï', 'big file.bin'), big);
  await writeFile(place(origin, 'empty'), '');
  await utimes(place(origin, 'empty'), at, at);
  await symlink('/etc/passwd', place(origin, 'link'));
  const archive = await exportTenant(origin, id);

  const job = await hydrate(target, archive);
  expect(job.state, JSON.stringify(job.error)).toBe('completed');
  expect((await readFile(place(target, 'avatars', 'ünï', 'big file.bin'))).equals(big)).toBe(true);
  expect((await stat(place(target, 'empty'))).mtime).toEqual(at);
  await expect(stat(place(target, 'link'))).rejects.toThrow('ENOENT');
  expect(await contentOf(await exportTenant(target, id))).toEqual(await contentOf(archive));

  expect((await target.request('DELETE', `/v1/tenants/${id}?confirm=${id}`)).status).toBe(204);
  expect(await hydrate(target, archive)).toMatchObject({
    state: 'failed',
    error: { code: 'conflict', message: expect.stringContaining('there are files') },
  });
  expect(await target.control('SELECT FROM control.tenants WHERE id = $1', [id])).toEqual([]);
});

test('a hydration replaces one that is at rest and keeps its files; one that fails then leaves nothing of either', async () => {
  const id = await aTenant('shared');
  await origin.migrate(id, 'CREATE TABLE t (n int); INSERT INTO t VALUES (1)');
  const place = (admin: AdminHarness) => join(admin.dataDir, 'storage', id);
  await mkdir(place(origin), { recursive: true });
  await writeFile(join(place(origin), 'a.txt'), 'a');
  const whole = await exportTenant(origin, id);
  const first = await hydrate(target, whole, { status: 'suspended' });
  expect(first.state, JSON.stringify(first.error)).toBe('completed');

  await origin.shared(`INSERT INTO ${id}.t VALUES (2)`);
  await origin.request('PATCH', `/v1/tenants/${id}`, { body: { limits: { max_in_flight: 3 } } });
  const lean = await exportTenant(origin, id, { leave_out: ['files', 'vectors'] });
  expect((await contentOf(lean)).content.storage).toBe('none');
  const replacing = { status: 'suspended', replaces: first.id };
  const another = await target.request('POST', '/v1/hydrate', {
    body: { upload: await upload(target, lean), passphrase: PASSPHRASE, replaces: randomUUID() },
  });
  expect([another.status, another.body.code]).toEqual([409, 'conflict']);
  expect(await hydrate(target, whole, replacing)).toMatchObject({
    state: 'failed',
    error: { code: 'conflict', message: expect.stringContaining('holds files') },
  });
  expect(await query(target.sharedUrl, `SELECT n FROM ${id}.t`)).toEqual([{ n: 1 }]);

  const second = await hydrate(target, lean, replacing);
  expect(second.state, JSON.stringify(second.error)).toBe('completed');
  expect(await readFile(join(place(target), 'a.txt'), 'utf8')).toBe('a');
  const { tenant, ...rest } = await contentOf(await exportTenant(target, id));
  const { tenant: wanted, ...others } = await contentOf(await exportTenant(origin, id));
  expect([rest, tenant]).toEqual([others, { ...wanted, status: 'suspended' }]);

  // It is too late for the first one to come back.
  await origin.migrate(id, `SELECT lo_from_bytea(0, '\\x01')`);
  const [{ oid }] = (await origin.shared<{ oid: string }>(
    `SELECT l.oid::text FROM pg_largeobject_metadata l JOIN pg_roles r ON r.oid = l.lomowner WHERE r.rolname = $1`,
    [`${id}_owner`],
  )) as [{ oid: string }];
  await target.shared('SELECT lo_from_bytea($1, $2)', [oid, Buffer.from('theirs')]);
  const bad = await exportTenant(origin, id, { leave_out: ['files', 'vectors'] });
  expect(await hydrate(target, bad, { ...replacing, replaces: second.id })).toMatchObject({
    state: 'failed',
    error: { code: 'conflict', message: expect.stringContaining(`large object ${oid}`) },
  });
  expect(await target.shared('SELECT FROM pg_namespace WHERE starts_with(nspname, $1)', [id])).toEqual([]);
  expect(await target.control('SELECT FROM control.tenants WHERE id = $1', [id])).toEqual([]);
  await expect(stat(place(target))).rejects.toThrow('ENOENT');
  await target.shared('SELECT lo_unlink($1)', [oid]);
});

test('what fails half-way leaves no schema, role, host, key or login, and nothing of anybody else goes with it', async () => {
  const id = await aTenant('shared');
  const migrated = await origin.migrate(id, `CREATE TABLE t (id int); SELECT lo_from_bytea(0, '\\x01')`);
  expect(migrated.state, JSON.stringify(migrated.error)).toBe('completed');
  const archive = await exportTenant(origin, id);
  const [{ oid }] = (await origin.shared<{ oid: string }>(
    `SELECT l.oid::text FROM pg_largeobject_metadata l JOIN pg_roles r ON r.oid = l.lomowner WHERE r.rolname = $1`,
    [`${id}_owner`],
  )) as [{ oid: string }];
  await target.shared('SELECT lo_from_bytea($1, $2)', [oid, Buffer.from('theirs')]);

  expect(await hydrate(target, archive)).toMatchObject({
    state: 'failed',
    error: { code: 'conflict', message: expect.stringContaining(`large object ${oid}`) },
  });
  expect(await target.shared('SELECT lo_get($1) AS bytes', [oid])).toEqual([
    { bytes: Buffer.from('theirs') },
  ]);
  expect(await target.shared('SELECT FROM pg_namespace WHERE starts_with(nspname, $1)', [id])).toEqual([]);
  expect(
    await target.shared(
      `SELECT FROM pg_roles WHERE starts_with(rolname, $1) OR rolname LIKE 'cascata_run_%'`,
      [id],
    ),
  ).toEqual([]);
  expect(await target.control('SELECT FROM control.tenants WHERE id = $1', [id])).toEqual([]);

  await target.shared('SELECT lo_unlink($1)', [oid]);
  expect(await hydrate(target, archive)).toMatchObject({ state: 'completed' });
});
