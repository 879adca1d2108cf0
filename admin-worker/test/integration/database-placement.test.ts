import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loginPassword } from '../../../gateway/platform/derived-logins.ts';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { databaseUrl, runSql } from '../../../test/support/database.ts';
import { openPool } from '../../connections.ts';
import { provisionDatabaseTenant } from '../../provision/database-tenant.ts';
import { createMigrationLogin, dropMigrationLogin } from '../../provision/migration-login.ts';
import { type AdminHarness, startAdminHarness } from '../support/admin-harness.ts';

let admin: AdminHarness;
beforeAll(async () => {
  admin = await startAdminHarness();
});
afterAll(() => admin.stop());

async function create(id = admin.tenantId('d'), body: Record<string, unknown> = {}) {
  const answer = await admin.request('POST', '/v1/tenants', {
    body: { id, hosts: [`${id}.localhost`], placement: { kind: 'database' }, ...body },
  });
  return { id, answer };
}

const urlOf = (id: string) => databaseUrl(admin.sharedUrl, `cascata_t_${id}`);

/** DSN of the login that the gateway uses for the tenant. */
function gatewayUrl(id: string, database = `cascata_t_${id}`): string {
  const url = new URL(databaseUrl(admin.sharedUrl, database));
  url.username = `${id}_login`;
  url.password = encodeURIComponent(loginPassword(admin.masterKey, `${id}_login`).reveal());
  return url.href;
}

/** Rows of the last of some statements, over a connection of their own. */
async function query(url: string, ...statements: readonly string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}

/** What of a tenant is in the cluster. */
async function traces(id: string): Promise<readonly string[]> {
  const rows = await admin.shared<{ name: string }>(
    `SELECT 'database ' || datname AS name FROM pg_database WHERE datname = 'cascata_t_' || $1
     UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE starts_with(rolname, $1 || '_') ORDER BY 1`,
    [id],
  );
  return rows.map(({ name }) => name);
}

const everything = (id: string) => [
  `database cascata_t_${id}`,
  `role ${id}_anon`,
  `role ${id}_authenticated`,
  `role ${id}_login`,
  `role ${id}_owner`,
  `role ${id}_service_role`,
];

const BOOKS = `-- UP
  CREATE TABLE public.books (id int PRIMARY KEY, owner uuid DEFAULT auth.uid(), token text DEFAULT encode(digest('x', 'md5'), 'hex'));
  ALTER TABLE books ENABLE ROW LEVEL SECURITY;
  REVOKE ALL ON public.books FROM anon;
  GRANT SELECT ON public.books TO anon;
  CREATE POLICY all_of_them ON public.books TO anon, service_role USING (true);
  INSERT INTO books (id) VALUES (1);
-- DOWN
  DROP TABLE public.books;`;

describe('a tenant with a database of its own', () => {
  test('is made with a database, a login, roles and keys, and listed with the name of its database', async () => {
    const { id, answer } = await create();
    expect(answer.status).toBe(201);
    const placement = {
      kind: 'database',
      database: `cascata_t_${id}`,
      read_replica: null,
      ca_certificate: null,
    };
    expect(answer.body.tenant).toMatchObject({ id, status: 'active', epoch: 1, placement });
    expect(Object.keys(answer.body.keys!).toSorted()).toEqual([
      'anon',
      'publishable',
      'secret',
      'service_role',
    ]);
    expect((await admin.request('GET', `/v1/tenants/${id}/keys`)).body.keys).toEqual(answer.body.keys);
    const listed = await admin.request('GET', `/v1/tenants?limit=100`);
    expect(listed.text).toContain(`"database":"cascata_t_${id}"`);
    expect(await traces(id)).toEqual(everything(id));
  });

  test('is reached by its login alone, which may become its three roles and nothing else', async () => {
    const { id } = await create();
    const roles = await admin.shared(
      `SELECT r.rolinherit, r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolbypassrls,
         ARRAY(SELECT pg_get_userbyid(m.roleid)::text FROM pg_auth_members m WHERE m.member = r.oid ORDER BY 1) AS member_of
       FROM pg_roles r WHERE r.rolname = $1`,
      [`${id}_login`],
    );
    const no = {
      rolinherit: false,
      rolsuper: false,
      rolcreatedb: false,
      rolcreaterole: false,
      rolbypassrls: false,
    };
    const member_of = ['anon', 'authenticated', 'service_role'].map((role) => `${id}_${role}`);
    expect(roles).toEqual([{ ...no, member_of }]);
    const limits = await admin.shared(
      `SELECT rolname, rolconfig FROM pg_roles WHERE rolname = ANY ($1) ORDER BY length(rolname)`,
      [[`${id}_login`, 'cascata_sealed', 'cascata_trusted']],
    );
    const rolconfig = ['temp_file_limit=1GB', 'idle_in_transaction_session_timeout=60s'];
    expect(limits).toEqual(limits.map((limit) => ({ ...limit, rolconfig })));
    expect(limits).toHaveLength(3);
    expect(await query(gatewayUrl(id), `SET ROLE ${id}_anon`, 'SELECT current_user::text AS me')).toEqual([
      { me: `${id}_anon` },
    ]);
    await expect(query(gatewayUrl(id), `SET ROLE ${id}_owner`)).rejects.toThrow(/permission denied/);
    for (const text of ['CREATE SCHEMA mine', 'CREATE TABLE t ()', 'CREATE TEMP TABLE t ()']) {
      await expect(query(gatewayUrl(id), text)).rejects.toThrow(/permission denied|no schema/);
    }
  });

  test('runs the same migrations as a shared one, with its own roles in the place of the portable ones', async () => {
    const { id } = await create();
    expect(await admin.migrate(id, BOOKS)).toMatchObject({ state: 'completed', error: null });
    const grants = await query(
      urlOf(id),
      `SELECT DISTINCT pg_get_userbyid(e.grantee)::text AS role FROM pg_class c, aclexplode(c.relacl) e
       WHERE c.oid = 'public.books'::regclass ORDER BY 1`,
    );
    expect(grants.map(({ role }) => role)).toEqual(
      ['anon', 'authenticated', 'owner', 'service_role'].map((role) => `${id}_${role}`),
    );
    const policies = await query(
      urlOf(id),
      `SELECT roles::text[] FROM pg_policies WHERE tablename = 'books'`,
    );
    expect(policies).toEqual([{ roles: [`${id}_anon`, `${id}_service_role`] }]);
    const owner = await query(
      urlOf(id),
      `SELECT tableowner::text AS o FROM pg_tables WHERE tablename = 'books'`,
    );
    expect(owner).toEqual([{ o: `${id}_owner` }]);
    expect(await query(gatewayUrl(id), `SET ROLE ${id}_anon`, 'SELECT id FROM books')).toEqual([{ id: 1 }]);
    await expect(
      query(gatewayUrl(id), `SET ROLE ${id}_anon`, 'INSERT INTO books VALUES (2)'),
    ).rejects.toThrow(/permission denied/);
    const leftLogins = await admin.shared(
      `SELECT pg_get_userbyid(member) FROM pg_auth_members WHERE roleid = '${id}_owner'::regrole`,
    );
    expect(leftLogins).toEqual([]);
  });

  test('has migrations that cannot name the roles or reach the database of another', async () => {
    const [{ id }, { id: other }] = [await create(), await create()];
    const granted = await admin.migrate(id, `-- UP\nCREATE TABLE t (); GRANT SELECT ON t TO ${other}_anon;`);
    expect(granted).toMatchObject({
      state: 'failed',
      error: { message: expect.stringContaining('rolled back') },
    });
    for (const text of [
      `SET ROLE ${other}_owner`,
      `DO $$ BEGIN EXECUTE 'SET ROLE ${other}_anon'; END $$`,
      'CREATE EXTENSION dblink',
      'CREATE SCHEMA elsewhere',
      `CREATE PUBLICATION p FOR ALL TABLES`,
      `COMMENT ON DATABASE cascata_t_${other} IS 'mine'`,
    ]) {
      expect(await admin.migrate(id, `-- UP\n${text};`), text).toMatchObject({ state: 'failed' });
    }
  });

  test('is the only one whose login and runs get into its database', async () => {
    const [{ id }, { id: other }] = [await create(), await create()];
    const refused = /permission denied for database/;
    await expect(query(gatewayUrl(id, `cascata_t_${other}`), 'SELECT')).rejects.toThrow(refused);
    await expect(query(gatewayUrl(id, admin.sharedDatabase), 'SELECT')).rejects.toThrow(refused);
    await expect(
      query(gatewayUrl(id, new URL(admin.controlUrl).pathname.slice(1)), 'SELECT'),
    ).rejects.toThrow(refused);
    const superuser = new pg.Client({ connectionString: urlOf(id) });
    await superuser.connect();
    const run = await createMigrationLogin(superuser, [`${id}_owner`]);
    try {
      const url = new URL(urlOf(other));
      url.username = run.name;
      url.password = run.password.reveal();
      await expect(query(url.href, 'SELECT')).rejects.toThrow(refused);
    } finally {
      await dropMigrationLogin(superuser, run.name);
      await superuser.end();
    }
  });

  test('gets the further schemas it exposes, at once and later', async () => {
    const { id } = await create(undefined, { postgrest: { 'db-schemas': 'api' } });
    const schemas = () =>
      query(
        urlOf(id),
        `SELECT nspname::text AS name FROM pg_namespace WHERE pg_get_userbyid(nspowner) = '${id}_owner' ORDER BY 1`,
      );
    expect(await schemas()).toEqual([{ name: 'api' }, { name: 'public' }]);
    const patched = await admin.request('PATCH', `/v1/tenants/${id}`, {
      body: { postgrest: { 'db-schemas': 'api, more' } },
    });
    expect(patched.status).toBe(200);
    expect(await schemas()).toEqual([{ name: 'api' }, { name: 'more' }, { name: 'public' }]);
    const reserved = await admin.request('PATCH', `/v1/tenants/${id}`, {
      body: { postgrest: { 'db-schemas': 'information_schema' } },
    });
    expect(reserved.status).toBe(400);
  });

  test('takes a read replica, which is tried and shown without its password', async () => {
    const replica = admin.sharedUrl.replace(/\/\/[^@]*@/, '//postgres:tops%20ecret@');
    const { id, answer } = await create(undefined, {
      placement: { kind: 'database', read_replica_url: replica },
    });
    expect(answer.status).toBe(201);
    expect(answer.body.tenant!.placement).toMatchObject({
      kind: 'database',
      read_replica: { database: admin.sharedDatabase },
      ca_certificate: null,
    });
    expect(answer.text).not.toMatch(/tops/);
    const without = await admin.request('PATCH', `/v1/tenants/${id}`, {
      body: { placement: { kind: 'database' } },
    });
    expect([without.status, without.body.tenant!.epoch, without.body.tenant!.placement]).toEqual([
      200,
      2,
      { kind: 'database', database: `cascata_t_${id}`, read_replica: null, ca_certificate: null },
    ]);
    const several = await admin.request('PATCH', `/v1/tenants/${id}`, {
      body: { placement: { kind: 'database', read_replica_urls: [replica, replica] } },
    });
    expect(several.body.tenant!.placement).toMatchObject({
      read_replica: { database: admin.sharedDatabase },
      read_replicas: [{ database: admin.sharedDatabase }, { database: admin.sharedDatabase }],
    });
    expect(several.text).not.toMatch(/tops/);
    const { id: unreachable, answer: refused } = await create(undefined, {
      placement: { kind: 'database', read_replica_url: 'postgres://a:b@127.0.0.1:1/db' },
    });
    expect(refused.status).toBe(422);
    expect(await traces(unreachable)).toEqual([]);
  });
});

describe('moving without data', () => {
  test('is refused between the shared database and one of its own, and says why', async () => {
    const { id } = await create();
    const { id: shared } = await create(undefined, { placement: { kind: 'shared' } });
    for (const [tenant, kind] of [
      [shared, 'database'],
      [id, 'shared'],
    ] as const) {
      const { status, body } = await admin.request('PATCH', `/v1/tenants/${tenant}`, {
        body: { placement: { kind } },
      });
      expect([status, body.code, body.message]).toEqual([
        409,
        'conflict',
        `The placement of the tenant '${tenant}' cannot become "${kind}": its data is not there, and PATCH moves none`,
      ]);
      expect(String(body.hint)).toContain('copy the rows');
      expect((await admin.request('GET', `/v1/tenants/${tenant}`)).body.tenant!.epoch).toBe(1);
    }
  });

  test('to a remote place and back keeps the database, and deletion drops it from there too', async () => {
    const { id } = await create();
    const remote = { kind: 'remote', remote_connection_string: admin.controlUrl };
    const away = await admin.request('PATCH', `/v1/tenants/${id}`, { body: { placement: remote } });
    expect(away.status).toBe(200);
    const toShared = await admin.request('PATCH', `/v1/tenants/${id}`, {
      body: { placement: { kind: 'shared' } },
    });
    expect(toShared.status).toBe(409);
    const back = await admin.request('PATCH', `/v1/tenants/${id}`, {
      body: { placement: { kind: 'database' } },
    });
    expect([back.status, back.body.tenant!.epoch]).toEqual([200, 3]);
    await admin.request('PATCH', `/v1/tenants/${id}`, { body: { placement: remote } });
    expect((await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}`)).status).toBe(204);
    expect(await traces(id)).toEqual([]);
  });
});

describe('ending and failing', () => {
  test('deletion cuts whoever is connected and leaves neither database nor role', async () => {
    const { id } = await create();
    await admin.migrate(id, BOOKS);
    const connected = new pg.Client({ connectionString: gatewayUrl(id) });
    connected.on('error', () => undefined);
    await connected.connect();
    const deleted = await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}`);
    expect([deleted.status, deleted.text]).toEqual([204, '']);
    expect(await traces(id)).toEqual([]);
    expect((await admin.request('GET', `/v1/tenants/${id}`)).status).toBe(404);
    await connected.end().catch(() => undefined);
    // The name is free again.
    expect((await create(id)).answer.status).toBe(201);
  });

  test('a database that cannot be cut off leaves a suspended tenant and an answer that says so', async () => {
    const { id } = await create();
    await runSql(
      urlOf(id),
      `CREATE SUBSCRIPTION s CONNECTION 'dbname=none' PUBLICATION p WITH (connect = false)`,
    );
    const { status, body } = await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}`);
    await runSql(urlOf(id), 'ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s');
    expect([status, body.code]).toEqual([409, 'conflict']);
    expect((await admin.request('GET', `/v1/tenants/${id}`)).body.tenant!.status).toBe('suspended');
    expect((await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}`)).status).toBe(204);
    expect(await traces(id)).toEqual([]);
  });

  test('a creation that fails half-way, or that the registry does not take, leaves nothing', async () => {
    const id = admin.tenantId('d');
    const url = new Secret(admin.sharedUrl);
    const pool = openPool({ url, max: 1, applicationName: 'test', onError: () => undefined });
    const naming = { schemaPrefix: undefined, rolePrefix: id };
    // PostgreSQL refuses such a schema, after the database was made.
    const spec = { id, naming, logicalSchemas: ['pg_refused'], masterKey: admin.masterKey };
    await expect(provisionDatabaseTenant({ pool, url }, spec)).rejects.toThrow(/pg_refused/);
    await pool.end();
    expect(await traces(id)).toEqual([]);

    await admin.control(
      `CREATE FUNCTION refuse_${id}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$`,
    );
    await admin.control(
      `CREATE CONSTRAINT TRIGGER refuse_${id} AFTER INSERT ON control.tenants DEFERRABLE INITIALLY DEFERRED
       FOR EACH ROW WHEN (NEW.id = '${id}') EXECUTE FUNCTION refuse_${id}()`,
    );
    expect((await create(id)).answer.status).toBe(500);
    await admin.control(`DROP FUNCTION refuse_${id} CASCADE`);
    expect(await traces(id)).toEqual([]);
    expect(await admin.control('SELECT id FROM control.tenants WHERE id = $1', [id])).toEqual([]);
  });

  test.each([
    ['owner', 'CREATEDB'],
    ['anon', 'LOGIN'],
    ['login', 'SUPERUSER'],
    ['login', 'IN ROLE pg_monitor'],
  ])('a role %s with %s that is there already is not taken over', async (name, options) => {
    const id = admin.tenantId('d');
    await admin.shared(`CREATE ROLE "${id}_${name}" ${options}`);
    const { answer } = await create(id);
    expect([answer.status, answer.body.code]).toEqual([409, 'conflict']);
    expect(await traces(id)).toEqual([`role ${id}_${name}`]);
    await admin.shared(`DROP ROLE "${id}_${name}"`);
  });

  test('a database of that name with objects is not touched; an empty one, left by an interrupted creation, is completed', async () => {
    const id = admin.tenantId('d');
    await admin.shared(`CREATE DATABASE "cascata_t_${id}"`);
    await runSql(urlOf(id), 'CREATE TABLE precious (id int)');
    const refused = await create(id);
    expect([refused.answer.status, refused.answer.body.message]).toEqual([
      409,
      `a database "cascata_t_${id}" exists already in the cluster and holds objects`,
    ]);
    expect(await traces(id)).toEqual([`database cascata_t_${id}`]);
    await runSql(urlOf(id), 'DROP TABLE precious');
    expect((await create(id)).answer.status).toBe(201);
    expect(await traces(id)).toEqual(everything(id));
  });
});
