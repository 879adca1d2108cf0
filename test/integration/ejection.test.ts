import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runSql } from '../support/database.ts';
import { type EjectionWorld, rowsOf, SECRET, signToken, startEjectionWorld } from '../support/ejection.ts';
import { type Replication, startReplication } from '../support/replication.ts';

let world: EjectionWorld;
beforeAll(async () => {
  world = await startEjectionWorld();
}, 120_000);
afterAll(() => world?.stop());

/** A bit of everything that has to come along. */
const EVERYTHING = `
  CREATE TYPE mood AS ENUM ('fine', 'sad');
  CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  CREATE TABLE authors (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL,
    shout text GENERATED ALWAYS AS (upper(name)) STORED, mood mood, age positive, extra jsonb, picture bytea);
  CREATE TABLE "Odd Name" (id serial PRIMARY KEY, author bigint REFERENCES authors, at timestamptz DEFAULT now(), amount numeric(20,6));
  CREATE TABLE empty_one (id uuid PRIMARY KEY);
  CREATE TABLE parts (id int, day date NOT NULL, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
  CREATE TABLE parts_2025 PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
  CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
  CREATE MATERIALIZED VIEW summary AS SELECT count(*) AS n FROM authors;
  CREATE VIEW loud AS SELECT id, shout FROM authors;
  CREATE FUNCTION add_author(name text) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
    'INSERT INTO authors (name) VALUES ($1) RETURNING id';
  CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.extra := '{"touched":true}'; RETURN NEW; END $$;
  CREATE TRIGGER touch BEFORE INSERT ON authors FOR EACH ROW EXECUTE FUNCTION touch();
  ALTER TABLE authors ENABLE ROW LEVEL SECURITY;
  CREATE POLICY all_of_them ON authors FOR SELECT TO anon USING (mood = 'fine');
  COMMENT ON TABLE authors IS 'People who write';
  INSERT INTO authors (name, mood, age, picture) SELECT 'author ' || n, 'fine', n, sha256(n::text::bytea) FROM generate_series(1, 500) n;
  INSERT INTO "Odd Name" (author, amount) SELECT n, n / 7.0 FROM generate_series(1, 300) n;
  INSERT INTO parts SELECT n, '2025-12-01'::date + n FROM generate_series(1, 60) n;
  REFRESH MATERIALIZED VIEW summary;`;

/** Offline from the shared database: below, on the way to coming back. */
const MODES = [
  { mode: 'offline', kind: 'database' },
  { mode: 'online', kind: 'shared' },
  { mode: 'online', kind: 'database' },
] as const;

describe.each(MODES)('$mode, from the placement "$kind"', ({ mode, kind }) => {
  test('everything the tenant has is at the new place, and its API has not changed', async () => {
    const gateway = await world.startGateway();
    const tenant = await world.newTenant(kind, EVERYTHING);
    const target = await world.newTarget();
    const before = await gateway.ask(tenant, 'GET', '/authors?order=id&limit=3');
    expect(before.status).toBe(200);

    const job = await world.eject(tenant.id, { remote_connection_string: target, mode });

    expect(job.error).toBeNull();
    expect(job).toMatchObject({ state: 'completed', result: { rows: 860 } });
    const shown = (await world.admin.request('GET', `/v1/tenants/${tenant.id}`)).body.tenant!;
    expect(shown).toMatchObject({
      status: 'active',
      placement: { kind: 'remote', port: world.target.port },
    });
    await expect.poll(() => gateway.ask(tenant, 'GET', '/authors?order=id&limit=3')).toMatchObject(before);
    // Identity and serial go on where they were; triggers, defaults and functions of the owner are there.
    const made = await gateway.ask(tenant, 'POST', '/rpc/add_author', { name: 'new' });
    expect(made).toMatchObject({ status: 200, text: '501' });
    expect(await gateway.ask(tenant, 'GET', '/authors?id=eq.501&select=shout,extra')).toMatchObject({
      text: '[{"shout":"NEW","extra":{"touched": true}}]',
    });
    expect(await gateway.ask(tenant, 'GET', '/summary')).toMatchObject({ text: '[{"n":500}]' });
    expect((await gateway.ask(tenant, 'POST', '/Odd%20Name', { author: 1 })).status).toBe(201);
    const schema = kind === 'shared' ? tenant.id : 'public';
    expect(await rowsOf(target, `SELECT max(id) AS id FROM "${schema}"."Odd Name"`)).toEqual([{ id: 301 }]);
    // Migrations go there as well, as the owner; names are those that the database has.
    const migrated = await world.admin.migrate(tenant.id, 'CREATE TABLE later (id int PRIMARY KEY);');
    expect(migrated).toMatchObject({ state: 'completed' });
    await expect
      .poll(() => gateway.ask(tenant, 'GET', '/later'), { timeout: 10_000 })
      .toMatchObject({ text: '[]' });
    // The old copy has none of it, and can be written to by nobody.
    expect(await rowsOf(tenant.homeUrl, `SELECT count(*)::int AS n FROM "${schema}".authors`)).toEqual([
      { n: 500 },
    ]);
    await expect(runSql(tenant.homeUrl, `DELETE FROM "${schema}".authors`)).rejects.toThrow(/being moved/);
    // The new one has no trace of how it came there.
    expect(
      await rowsOf(target, 'SELECT FROM pg_subscription UNION ALL SELECT FROM pg_trigger WHERE tgname = $1', [
        'cascata_fence',
      ]),
    ).toEqual([]);
    expect(await rowsOf(world.source.url, 'SELECT slot_name FROM pg_replication_slots')).toEqual([]);
    expect(
      await rowsOf(
        world.source.url,
        `SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'cascata_eject_')`,
      ),
    ).toEqual([]);
    expect(
      await rowsOf(
        target,
        `SELECT tableowner FROM pg_tables WHERE schemaname = $1 AND tablename = 'authors'`,
        [schema],
      ),
    ).toEqual([{ tableowner: `${tenant.id}_owner` }]);
  }, 120_000);
});

test('flipped back: at once while nothing was written, with a word of consent when something was', async () => {
  const gateway = await world.startGateway();
  const tenant = await world.newTenant('shared', 'CREATE TABLE notes (id int PRIMARY KEY);');
  const write = async (id: number) => (await gateway.ask(tenant, 'POST', '/notes', { id })).status;
  const flipBack = (body: object) => world.flipBack(tenant.id, body);
  expect(await write(1)).toBe(201);
  const target = await world.newTarget();
  expect((await world.eject(tenant.id, { remote_connection_string: target })).error).toBeNull();
  expect(
    await world.admin.request('PATCH', `/v1/tenants/${tenant.id}`, {
      body: { placement: { kind: 'shared' } },
    }),
  ).toMatchObject({ status: 409 });

  expect(await flipBack({})).toMatchObject({ state: 'completed', result: { differences: [] } });
  expect(await write(2)).toBe(201);
  expect(await rowsOf(tenant.homeUrl, `SELECT id FROM ${tenant.id}.notes ORDER BY id`)).toEqual([
    { id: 1 },
    { id: 2 },
  ]);
  await expect(runSql(target, `DELETE FROM ${tenant.id}.notes`)).rejects.toThrow(/being moved/);
  expect(
    (await world.admin.request('POST', `/v1/tenants/${tenant.id}/eject/flip-back`, { body: {} })).status,
  ).toBe(409);

  // Roles of the first move are still there.
  const again = await world.eject(tenant.id, { remote_connection_string: await world.newTarget() });
  expect(again).toMatchObject({ state: 'failed', error: { code: 'preflight' } });
  const roles = ['owner', 'anon', 'authenticated', 'service_role', 'login', 'migrator'].map(
    (name) => `${tenant.id}_${name}`,
  );
  await runSql(target, roles.map((name) => `DROP OWNED BY ${name} CASCADE;`).join(''));
  await runSql(target, `DROP ROLE ${roles.join(', ')}`);
  const other = await world.newTarget();
  expect((await world.eject(tenant.id, { remote_connection_string: other })).error).toBeNull();
  expect(await write(3)).toBe(201);
  const refused = await flipBack({});
  expect(refused).toMatchObject({ state: 'failed', error: { code: 'data_loss' } });
  expect(await write(4)).toBe(201);
  expect(await rowsOf(other, `SELECT count(*)::int AS n FROM ${tenant.id}.notes`)).toEqual([{ n: 4 }]);
  expect(await flipBack({ accept_data_loss: true })).toMatchObject({ state: 'completed' });
  await expect
    .poll(async () => (await gateway.ask(tenant, 'GET', '/notes?order=id')).text)
    .toBe('[{"id":1}, \n {"id":2}]');
  expect(await write(3)).toBe(201);
}, 180_000);

/** Objects by which a move might be known where it came from or went to. */
const TRACES = `
  SELECT 'subscription ' || subname AS trace FROM pg_subscription
  UNION ALL SELECT 'publication ' || pubname FROM pg_publication
  UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots
  UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname LIKE 'cascata_kept_%'
  UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname LIKE 'cascata_eject_%'`;

describe('brought back with what was written elsewhere', () => {
  test('online, while its old copy is still there', async () => {
    const gateway = await world.startGateway();
    const tenant = await world.newTenant('shared', EVERYTHING);
    const target = await world.newTarget();
    expect((await world.eject(tenant.id, { remote_connection_string: target })).error).toBeNull();
    const shown = (await world.admin.request('GET', `/v1/tenants/${tenant.id}`)).body.tenant!;
    expect(shown.old_copy).toMatchObject({ placement: 'shared', deleted_at: null });
    await gateway.ask(tenant, 'POST', '/rpc/add_author', { name: 'elsewhere' });
    await gateway.ask(tenant, 'DELETE', '/authors?id=eq.500');
    await world.admin.migrate(
      tenant.id,
      `CREATE TABLE later (id int PRIMARY KEY CHECK (id <> 13)); GRANT ALL ON later TO ${tenant.id}_service_role; INSERT INTO later VALUES (1);`,
    );

    // A constraint that runs the tenant's own code would run it as our superuser.
    await runSql(
      target,
      `CREATE FUNCTION ${tenant.id}.fine(n int) RETURNS boolean LANGUAGE sql AS 'SELECT true'; ALTER TABLE ${tenant.id}.later ADD CONSTRAINT own CHECK (${tenant.id}.fine(id))`,
    );
    const refused = await world.admin.request('POST', `/v1/tenants/${tenant.id}/repatriate/preflight`, {
      body: { mode: 'online' },
    });
    expect(refused.body).toMatchObject({ can_repatriate: false });
    expect(refused.text).toContain('"expression_rights"');
    await runSql(target, `ALTER TABLE ${tenant.id}.later DROP CONSTRAINT own`);

    const job = await world.repatriate(tenant.id, { mode: 'online' });
    expect(job.error).toBeNull();
    expect(job).toMatchObject({ state: 'completed', result: { rows: 861 } });
    const back = (await world.admin.request('GET', `/v1/tenants/${tenant.id}`)).body.tenant!;
    expect(back).toMatchObject({ status: 'active', epoch: 3, placement: { kind: 'shared' } });
    expect(back).not.toHaveProperty('old_copy');
    await expect
      .poll(async () => (await gateway.ask(tenant, 'GET', '/authors?id=in.(500,501)&select=shout')).text)
      .toBe('[{"shout":"ELSEWHERE"}]');
    expect((await gateway.ask(tenant, 'POST', '/rpc/add_author', { name: 'home' })).text).toBe('502');
    expect((await gateway.ask(tenant, 'GET', '/later')).text).toBe('[{"id":1}]');
    expect((await gateway.ask(tenant, 'GET', '/summary')).status).toBe(200);
    expect(
      (await world.admin.migrate(tenant.id, 'CREATE TABLE last (id int PRIMARY KEY);')).error,
    ).toBeNull();
    expect(await rowsOf(tenant.homeUrl, TRACES)).toEqual([]);
    expect(await rowsOf(target, TRACES)).toEqual([]);
    await expect(runSql(target, `DELETE FROM ${tenant.id}.authors`)).rejects.toThrow(/being moved/);
  }, 120_000);

  test('offline, when the time of its old copy is over', async () => {
    const gateway = await world.startGateway();
    const tenant = await world.newTenant(
      'database',
      'CREATE TABLE notes (id serial PRIMARY KEY, text text);',
    );
    const target = await world.newTarget();
    expect(
      (await world.eject(tenant.id, { remote_connection_string: target, keep_days: 3 })).error,
    ).toBeNull();
    const shown = async () =>
      (await world.admin.request('GET', `/v1/tenants/${tenant.id}`)).body.tenant!.old_copy!;
    expect(Date.parse(String((await shown()).keep_until)) - Date.now()).toBeGreaterThan(2.9 * 86_400_000);
    expect((await gateway.ask(tenant, 'POST', '/notes', { text: 'elsewhere' })).status).toBe(201);

    await world.admin.control(
      `UPDATE control.ejections SET keep_until = now() - interval '1 second' WHERE tenant_id = $1`,
      [tenant.id],
    );
    await world.lookForOldCopies();
    await expect.poll(async () => (await shown()).deleted_at, { timeout: 30_000 }).not.toBeNull();
    const left =
      'SELECT datname AS name FROM pg_database WHERE datname = $1 UNION ALL SELECT rolname FROM pg_roles WHERE starts_with(rolname, $2)';
    expect(await rowsOf(world.source.url, left, [`cascata_t_${tenant.id}`, `${tenant.id}_`])).toEqual([]);
    expect(
      await world.admin.control('SELECT tenant_id FROM control.audit_log WHERE action = $1', [
        'tenant.old-copy-deleted',
      ]),
    ).toEqual([{ tenant_id: tenant.id }]);
    const flipped = await world.admin.request('POST', `/v1/tenants/${tenant.id}/eject/flip-back`, {
      body: {},
    });
    expect(flipped.status).toBe(409);
    expect((await gateway.ask(tenant, 'GET', '/notes?select=text')).text).toBe('[{"text":"elsewhere"}]');

    const job = await world.repatriate(tenant.id, {});
    expect(job.error).toBeNull();
    await expect
      .poll(async () => (await gateway.ask(tenant, 'POST', '/notes', { text: 'home' })).status)
      .toBe(201);
    expect(await rowsOf(tenant.homeUrl, 'SELECT id, text FROM notes ORDER BY id')).toEqual([
      { id: 1, text: 'elsewhere' },
      { id: 2, text: 'home' },
    ]);
    expect(await rowsOf(world.source.url, left, ['', `${tenant.id}_migrator`])).toEqual([]);
  }, 120_000);
});

/** As a Supabase project has it, but for what Supabase's own services keep there. */
const SUPABASE_ROLES = `
  CREATE ROLE anon NOLOGIN NOINHERIT; CREATE ROLE authenticated NOLOGIN NOINHERIT; CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;`;
const SUPABASE_PROJECT = `
  CREATE SCHEMA auth; GRANT USAGE ON SCHEMA auth TO PUBLIC;
  CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS
    $$ SELECT (current_setting('request.jwt.claims', true)::jsonb ->> 'sub')::uuid $$;
  GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
  CREATE TABLE todos (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner uuid NOT NULL DEFAULT auth.uid(), title text);
  ALTER TABLE todos ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON todos TO authenticated USING (owner = auth.uid());
  GRANT ALL ON todos TO anon, authenticated, service_role;
  CREATE TABLE open_table (n int); GRANT SELECT ON open_table TO anon;
  INSERT INTO todos (owner, title) VALUES ('00000000-0000-0000-0000-000000000001', 'theirs'), ('00000000-0000-0000-0000-000000000002', 'mine');`;

describe('a new place with a replica', () => {
  const SEEN = `
    CREATE TABLE notes (id int PRIMARY KEY);
    CREATE FUNCTION seen_by() RETURNS json LANGUAGE sql STABLE AS
      $$ SELECT json_build_object('login', session_user, 'at_replica', pg_is_in_recovery()) $$;`;
  let cluster: Replication;
  beforeAll(async () => {
    cluster = await startReplication({ replicas: 1 });
  });
  afterAll(() => cluster?.close());

  const read_replica_url = (database = 'postgres') => cluster.replicas[0]!.url(database);

  test('is read from by the login of requests, not by the one that was given for the move', async () => {
    const gateway = await world.startGateway();
    const tenant = await world.newTenant('shared', SEEN);
    const job = await world.eject(tenant.id, {
      remote_connection_string: cluster.primary.url(),
      read_replica_url: read_replica_url(),
    });
    expect(job.error).toBeNull();
    await expect
      .poll(async () => (await gateway.ask(tenant, 'GET', '/rpc/seen_by')).text, { timeout: 15_000 })
      .toBe(`{"login" : "${tenant.id}_login", "at_replica" : true}`);

    // Nobody knows the password of that login: a change of the replicas needs none.
    const patch = async (placement: object) =>
      (await world.admin.request('PATCH', `/v1/tenants/${tenant.id}`, { body: { placement } })).status;
    expect(await patch({ kind: 'remote', read_replica_url: null })).toBe(200);
    await expect
      .poll(async () => (await gateway.ask(tenant, 'GET', '/rpc/seen_by')).text)
      .toBe(`{"login" : "${tenant.id}_login", "at_replica" : false}`);
    expect(await patch({ kind: 'remote', read_replica_urls: [read_replica_url()] })).toBe(200);
    await expect
      .poll(async () => (await gateway.ask(tenant, 'GET', '/rpc/seen_by')).text, { timeout: 15_000 })
      .toBe(`{"login" : "${tenant.id}_login", "at_replica" : true}`);
    const other = await world.newTenant('shared', SEEN);
    const { status, text } = await world.admin.request('PATCH', `/v1/tenants/${other.id}`, {
      body: { placement: { kind: 'remote', read_replica_url: read_replica_url() } },
    });
    expect([status, text]).toEqual([400, expect.stringContaining('remote_connection_string is needed')]);
  }, 60_000);

  test('so is one of a database that is adopted', async () => {
    const gateway = await world.startGateway();
    await runSql(cluster.primary.url(), SUPABASE_ROLES);
    await runSql(cluster.primary.url(), 'CREATE DATABASE adopted');
    const url = cluster.primary.url('adopted');
    await runSql(url, SEEN);
    await expect.poll(() => rowsOf(read_replica_url('adopted'), 'SELECT').catch(() => [])).toHaveLength(1);
    const id = world.admin.tenantId();
    const job = await world.adopt(id, {
      hosts: [`${id}.localhost`],
      remote_connection_string: url,
      read_replica_url: read_replica_url('adopted'),
      jwt: { secret: SECRET },
    });
    expect(job.error).toBeNull();
    const tenant = { id, host: `${id}.localhost`, homeUrl: url, token: await signToken({ role: 'anon' }) };
    await expect
      .poll(async () => (await gateway.ask(tenant, 'GET', '/rpc/seen_by')).text, { timeout: 15_000 })
      .toBe(`{"login" : "${id}_login", "at_replica" : true}`);
  }, 60_000);

  test('is looked at before anything is done', async () => {
    const { id } = await world.newTenant('shared', SEEN);
    const [remote_connection_string, url] = [await world.newTarget(), read_replica_url()];
    for (const [replica, found] of [
      [url, 'error not_a_replica: read_replica_url leads to a replica of another server'],
      [
        remote_connection_string,
        'error not_a_replica: read_replica_url leads to a server that follows no other',
      ],
      [
        'postgres://a:hidden-word@127.0.0.1:1/x',
        'error replica_unreachable: The replica cannot be used: the connection was refused',
      ],
    ] as const) {
      const body = { remote_connection_string, read_replica_url: replica };
      const { text } = await world.admin.request('POST', `/v1/tenants/${id}/eject/preflight`, { body });
      expect(text).not.toContain('hidden-word');
      const findings = JSON.parse(text).findings as {
        object: string;
        severity: string;
        code: string;
        text: string;
      }[];
      expect(
        findings
          .filter(({ object }) => object === 'replica')
          .map((one) => `${one.severity} ${one.code}: ${one.text}`),
      ).toEqual([found]);
    }
    const other = {
      remote_connection_string: cluster.primary.url(),
      read_replica_url: read_replica_url('template1'),
    };
    expect(await world.eject(id, other)).toMatchObject({
      state: 'failed',
      error: { code: 'preflight', details: expect.stringContaining('leads to the database template1') },
    });
  });
});

describe('a database that is outside already', () => {
  let url: string;
  beforeAll(async () => {
    await runSql(world.target.url, SUPABASE_ROLES);
    url = await world.newTarget();
    await runSql(url, SUPABASE_PROJECT);
  });

  test('is told what it lacks, and nothing is made of it', async () => {
    const id = world.admin.tenantId();
    const preflight = async (body: object) => {
      const { body: answer } = await world.admin.request('POST', `/v1/tenants/${id}/adopt/preflight`, {
        body,
      });
      const findings = Object.values(answer.findings ?? {}).map(
        ({ severity, code, object }) => `${severity} ${code} ${object}`,
      );
      return { can: answer.can_adopt, findings };
    };
    expect(await preflight({ remote_connection_string: url })).toEqual({
      can: true,
      findings: ['warning rls_off public.open_table'],
    });
    await runSql(
      url,
      'CREATE ROLE strong NOLOGIN SUPERUSER; CREATE ROLE weak LOGIN; CREATE ROLE many NOLOGIN; GRANT service_role TO many',
    );
    expect(
      await preflight({
        remote_connection_string: url,
        schemas: ['public', 'api'],
        roles: ['anon', 'strong', 'many', 'nobody'],
        login: 'given',
      }),
    ).toEqual({
      can: false,
      findings: [
        'error login_too_strong postgres',
        'error role_too_strong strong',
        'error role_too_strong many',
        'error role_missing nobody',
        'warning key_role service_role',
        'error schema_missing api',
        'warning rls_off public.open_table',
      ],
    });
    const job = await world.adopt(id, {
      hosts: [`${id}.localhost`],
      remote_connection_string: url,
      schemas: ['public', 'api'],
    });
    expect(job).toMatchObject({ state: 'failed', error: { code: 'preflight' } });
    expect((await world.admin.request('GET', `/v1/tenants/${id}`)).status).toBe(404);
  });

  test('becomes a tenant as it is: its tokens, its policies, a login that can become its roles and nothing else', async () => {
    const gateway = await world.startGateway();
    const id = world.admin.tenantId();
    const host = `${id}.localhost`;
    const job = await world.adopt(id, {
      hosts: [host],
      remote_connection_string: url,
      jwt: { secret: SECRET },
      migrations_connection_string: url,
    });
    expect(job.error).toBeNull();
    const user = await signToken({ role: 'authenticated', sub: '00000000-0000-0000-0000-000000000002' });
    const tenant = { id, host, homeUrl: url, token: user };
    expect((await gateway.ask(tenant, 'GET', '/todos?select=title')).text).toBe('[{"title":"mine"}]');
    expect((await gateway.ask(tenant, 'POST', '/todos', { title: 'new' })).status).toBe(201);
    const service = { ...tenant, token: await signToken({ role: 'service_role' }) };
    expect((await gateway.ask(service, 'GET', '/todos?select=count')).text).toBe('[{"count":3}]');
    const keys = await world.admin.request('GET', `/v1/tenants/${id}/keys`);
    expect(keys.body).toMatchObject({ keys: { anon: expect.stringMatching(/^eyJ/) } });
    expect(
      await rowsOf(
        url,
        `SELECT rolinherit, rolsuper, rolcreaterole, ARRAY(SELECT pg_get_userbyid(m.roleid)::text FROM pg_auth_members m WHERE m.member = r.oid ORDER BY 1) AS roles
         FROM pg_roles r WHERE rolname = $1`,
        [`${id}_login`],
      ),
    ).toEqual([
      {
        rolinherit: false,
        rolsuper: false,
        rolcreaterole: false,
        roles: ['anon', 'authenticated', 'service_role'],
      },
    ]);
    const migrated = await world.admin.migrate(
      id,
      'CREATE TABLE later (n int); GRANT SELECT ON later TO service_role;',
    );
    expect(migrated.error).toBeNull();
    await expect.poll(async () => (await gateway.ask(service, 'GET', '/later')).text).toBe('[]');
    const again = await world.admin.request('POST', `/v1/tenants/${id}/adopt`, {
      body: { hosts: [host], remote_connection_string: url },
    });
    expect(again.status).toBe(409);
  }, 60_000);
});
