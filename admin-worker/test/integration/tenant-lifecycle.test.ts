import { decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { bootstrap } from '../../bootstrap.ts';
import { hasValidChecksum } from '../../tenants/tenant-keys.ts';
import { type AdminHarness, startAdminHarness } from '../support/admin-harness.ts';

const SECRET = 'a secret of more than thirty-two characters';

let admin: AdminHarness;
beforeAll(async () => {
  admin = await startAdminHarness();
});
afterAll(() => admin.stop());

async function create(body: Record<string, unknown> = {}) {
  const id = admin.tenantId();
  const answer = await admin.request('POST', '/v1/tenants', {
    body: { id, hosts: [`${id}.localhost`], ...body },
  });
  return { id, answer };
}

describe('bootstrap', () => {
  test('a second bootstrap changes nothing and fails nothing', async () => {
    const before = await admin.control('SELECT name FROM control.schema_migrations ORDER BY name');
    await Promise.all(
      [1, 2].map(() =>
        bootstrap({
          controlDatabaseUrl: new Secret(admin.controlUrl),
          masterKey: admin.masterKey,
          sharedDatabase: admin.sharedDatabase,
        }),
      ),
    );
    expect(await admin.control('SELECT name FROM control.schema_migrations ORDER BY name')).toEqual(before);
  });

  test('placeholder roles are members of nothing, have no members and cannot log in', async () => {
    const rows = await admin.shared(
      `SELECT r.rolname, r.rolcanlogin, r.rolsuper, r.rolbypassrls,
         (SELECT count(*)::int FROM pg_auth_members m WHERE m.roleid = r.oid OR m.member = r.oid) AS memberships
       FROM pg_roles r WHERE r.rolname IN ('anon', 'authenticated', 'service_role') ORDER BY 1`,
    );
    const plain = { rolcanlogin: false, rolsuper: false, rolbypassrls: false, memberships: 0 };
    expect(rows).toEqual(['anon', 'authenticated', 'service_role'].map((rolname) => ({ rolname, ...plain })));
  });

  test('auth helpers read the claims of the request and are empty without any', async () => {
    const rows = await admin.shared(
      'SELECT auth.uid() AS uid, auth.role() AS role, auth.email() AS email, auth.jwt() AS jwt',
    );
    expect(rows).toEqual([{ uid: null, role: null, email: null, jwt: null }]);
    const uid = '6c2f7f52-2d0a-4a43-8e0e-3a5a4a0d9f0e';
    const [claims] = await admin.shared(
      `SELECT auth.uid() AS uid, auth.role() AS role, auth.email() AS email
       FROM set_config('request.jwt.claims', $1, false)`,
      [JSON.stringify({ sub: uid, role: 'authenticated', email: 'a@example.com' })],
    );
    await admin.shared(`SELECT set_config('request.jwt.claims', '', false)`);
    expect(claims).toEqual({ uid, role: 'authenticated', email: 'a@example.com' });
  });
});

describe('creating a tenant', () => {
  test('answers 201 with the tenant and its four keys', async () => {
    const { id, answer } = await create({
      placement: { kind: 'shared' },
      jwt: { secret: SECRET },
      postgrest: { 'db-schemas': 'public', 'db-anon-role': 'anon', 'db-max-rows': 1000 },
    });
    expect(answer.status).toBe(201);
    expect(answer.body.tenant).toEqual({
      id,
      hosts: [`${id}.localhost`],
      status: 'active',
      placement: { kind: 'shared' },
      isolation: 'sealed',
      epoch: 1,
      jwt: { kind: 'secret' },
      require_api_key: false,
      limits: {
        max_in_flight: null,
        statement_timeout_ms: null,
        max_body_bytes: null,
        max_queue: null,
        max_queue_wait_ms: null,
        requests_per_second: null,
        max_header_bytes: null,
        max_rows: null,
        max_replica_lag_ms: null,
      },
      postgrest: { 'db-schemas': 'public', 'db-anon-role': 'anon', 'db-max-rows': 1000 },
      backends: {},
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
    const keys = answer.body.keys!;
    for (const role of ['anon', 'service_role']) {
      const { payload } = await jwtVerify(String(keys[role]), Buffer.from(SECRET));
      expect(payload).toMatchObject({ role, ref: id });
    }
    expect(String(keys.publishable)).toMatch(/^sb_publishable_[A-Za-z0-9_-]{22}_[A-Za-z0-9_-]{8}$/);
    expect(String(keys.secret)).toMatch(/^sb_secret_[A-Za-z0-9_-]{22}_[A-Za-z0-9_-]{8}$/);
    expect(hasValidChecksum(String(keys.secret))).toBe(true);
    expect((await admin.request('GET', `/v1/tenants/${id}/keys`)).body).toEqual({ keys });
    expect((await admin.request('GET', `/v1/tenants/${id}`)).body.tenant).toEqual(answer.body.tenant);
  });

  test('makes a schema and roles that nobody may become', async () => {
    const { id } = await create({ postgrest: { 'db-schemas': 'public, api' } });
    const schemas = await admin.shared(
      `SELECT n.nspname, pg_get_userbyid(n.nspowner) AS owner FROM pg_namespace n WHERE starts_with(n.nspname, $1) ORDER BY 1`,
      [id],
    );
    expect(schemas).toEqual([
      { nspname: id, owner: `${id}_owner` },
      { nspname: `${id}_api`, owner: `${id}_owner` },
    ]);
    const roles = await admin.shared(
      `SELECT r.rolname, r.rolbypassrls, r.rolinherit, r.rolcanlogin,
         ARRAY(SELECT pg_get_userbyid(m.member)::text FROM pg_auth_members m WHERE m.roleid = r.oid) AS members
       FROM pg_roles r WHERE starts_with(r.rolname, $1) ORDER BY 1`,
      [`${id}_`],
    );
    const plain = { rolbypassrls: false, rolinherit: false, rolcanlogin: false };
    expect(roles).toEqual([
      { ...plain, rolname: `${id}_anon`, members: [] },
      { ...plain, rolname: `${id}_authenticated`, members: [] },
      { ...plain, rolname: `${id}_owner`, members: [] },
      { ...plain, rolname: `${id}_service_role`, members: [], rolbypassrls: true },
    ]);
  });

  test.each([
    ['jwks', { jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y' }] } }],
    ['a jwks_url', { jwks_url: 'https://login.example.com/.well-known/jwks.json' }],
    ['no secret', null],
  ])('with %s there is nothing to sign anon and service_role with', async (_, jwt) => {
    const { answer } = await create({ jwt });
    expect(answer.body.keys).toMatchObject({ anon: null, service_role: null });
  });

  test('a symmetric key of a key set signs, and its kid is in the header', async () => {
    const k = Buffer.from(SECRET).toString('base64url');
    const { answer } = await create({ jwt: { jwks: { keys: [{ kty: 'oct', k, kid: 'one' }] } } });
    const { protectedHeader } = await jwtVerify(String(answer.body.keys!.anon), Buffer.from(SECRET));
    expect(protectedHeader).toEqual({ alg: 'HS256', typ: 'JWT', kid: 'one' });
  });

  test('a base64 secret is its bytes', async () => {
    const { answer } = await create({ jwt: { secret_base64: Buffer.from(SECRET).toString('base64') } });
    await jwtVerify(String(answer.body.keys!.service_role), Buffer.from(SECRET));
  });

  test('an id or a host that is taken is a conflict, and nothing is left of the attempt', async () => {
    const { id } = await create();
    const again = await admin.request('POST', '/v1/tenants', { body: { id, hosts: ['other.localhost'] } });
    expect([again.status, again.body.code]).toEqual([409, 'conflict']);
    const other = admin.tenantId();
    const host = await admin.request('POST', '/v1/tenants', {
      body: { id: other, hosts: [`${id}.LOCALHOST`] },
    });
    expect([host.status, host.body.message]).toEqual([
      409,
      `The host '${id}.localhost' belongs to another tenant already`,
    ]);
    expect((await admin.request('GET', `/v1/tenants/${other}`)).status).toBe(404);
    expect(await admin.shared('SELECT FROM pg_roles WHERE starts_with(rolname, $1)', [`${other}_`])).toEqual(
      [],
    );
  });

  test('an id that would share names with another tenant is a conflict, in both directions', async () => {
    const { id } = await create();
    const longer = await admin.request('POST', '/v1/tenants', {
      body: { id: `${id}_x`, hosts: ['a.localhost'] },
    });
    expect(longer.status).toBe(409);
    const second = admin.tenantId();
    await admin.request('POST', '/v1/tenants', {
      body: { id: `${second}_x`, hosts: [`${second}.localhost`] },
    });
    const shorter = await admin.request('POST', '/v1/tenants', {
      body: { id: second, hosts: ['b.localhost'] },
    });
    expect(shorter.status).toBe(409);
  });

  test('a schema that holds objects already is not taken over, and the registry has no row', async () => {
    const id = admin.tenantId();
    await admin.shared(`CREATE SCHEMA ${id}`);
    await admin.shared(`CREATE TABLE ${id}.precious ()`);
    const answer = await admin.request('POST', '/v1/tenants', { body: { id, hosts: [`${id}.localhost`] } });
    expect([answer.status, answer.body.code]).toEqual([409, 'conflict']);
    expect((await admin.request('GET', `/v1/tenants/${id}`)).status).toBe(404);
    await admin.shared(`DROP SCHEMA ${id} CASCADE`);
  });

  test('every problem of a body is named with its path', async () => {
    const answer = await admin.request('POST', '/v1/tenants', {
      body: {
        id: 'Not An Id',
        hosts: ['http://x', 'ok.example.com'],
        jwt: { secret: 'short' },
        postgrest: { 'db-max-rows': -1, 'db-uri': 'x', nonsense: true, 'db-tx-end': 'maybe' },
        surprise: 1,
      },
    });
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
    const details: unknown = answer.body.details;
    const paths = (details as { path: string }[]).map(({ path }) => path);
    expect(paths.toSorted()).toEqual([
      'hosts.0',
      'id',
      'jwt.secret',
      'postgrest.db-max-rows',
      'postgrest.db-tx-end',
      'postgrest.db-uri',
      'postgrest.nonsense',
      'surprise',
    ]);
  });

  test.each(['public', 'auth', 'anon', 'pg_x', 'cascata_x', 'template1', 'pgboss'])(
    'the id %s is reserved',
    async (id) => {
      const answer = await admin.request('POST', '/v1/tenants', { body: { id, hosts: ['r.localhost'] } });
      expect(answer.status).toBe(400);
    },
  );
});

describe('a remote tenant', () => {
  test('is registered when its database answers, and its DSN is never shown', async () => {
    const dsn = admin.controlUrl
      .replace('postgres://', 'postgresql://')
      .replace(/\/\/[^@]*@/, '//postgres:tops%20ecret@');
    const { id, answer } = await create({ placement: { kind: 'remote', remote_connection_string: dsn } });
    expect(answer.status).toBe(201);
    const { port, hostname, pathname } = new URL(dsn);
    expect(answer.body.tenant!.placement).toEqual({
      kind: 'remote',
      host: hostname,
      port: Number(port),
      database: pathname.slice(1),
      read_replica: null,
      ca_certificate: null,
    });
    const shown = [
      answer,
      await admin.request('GET', `/v1/tenants/${id}`),
      await admin.request('GET', '/v1/tenants'),
    ];
    for (const { text } of shown) expect(text).not.toMatch(/tops|postgres:/);
    const moved = await admin.request('PATCH', `/v1/tenants/${id}`, {
      body: { placement: { kind: 'remote', remote_connection_string: dsn } },
    });
    expect(moved.body.tenant!.epoch).toBe(2);
  });

  test('whose database cannot be reached is refused without a word of the DSN', async () => {
    const { id, answer } = await create({
      placement: { kind: 'remote', remote_connection_string: 'postgres://someone:hidden@127.0.0.1:1/db' },
    });
    expect([answer.status, answer.body.code]).toEqual([422, 'unreachable']);
    expect(answer.body.details).toEqual([
      { path: 'placement.remote_connection_string', message: 'the connection was refused' },
    ]);
    expect(answer.text).not.toMatch(/someone|hidden|127\.0\.0\.1/);
    expect((await admin.request('GET', `/v1/tenants/${id}`)).status).toBe(404);
  });
});

describe('changing and deleting a tenant', () => {
  test('PATCH changes what it names and merges settings by name', async () => {
    const { id } = await create({ postgrest: { 'db-max-rows': 10, 'db-schemas': 'public' } });
    const answer = await admin.request('PATCH', `/v1/tenants/${id}`, {
      body: {
        hosts: [`${id}.example.com`, `*.${id}.example.com`],
        status: 'suspended',
        require_api_key: true,
        limits: { max_in_flight: 5 },
        postgrest: { 'db-max-rows': null, 'db-anon-role': null, 'db-schemas': 'public,api' },
      },
    });
    expect(answer.status).toBe(200);
    expect(answer.body.tenant).toMatchObject({
      hosts: [`*.${id}.example.com`, `${id}.example.com`],
      status: 'suspended',
      epoch: 1,
      require_api_key: true,
      limits: { max_in_flight: 5, statement_timeout_ms: null },
      postgrest: { 'db-anon-role': null, 'db-schemas': 'public,api' },
    });
    expect(answer.body.tenant!.postgrest).not.toHaveProperty('db-max-rows');
    expect(await admin.shared('SELECT FROM pg_namespace WHERE nspname = $1', [`${id}_api`])).toHaveLength(1);
    const { body } = await create({ hosts: [`${id}.localhost`] }).then(({ answer: taken }) => taken);
    expect(body.tenant).toBeDefined();
  });

  test('a host of another tenant cannot be taken by PATCH', async () => {
    const { id: first } = await create();
    const { id: second } = await create();
    const answer = await admin.request('PATCH', `/v1/tenants/${second}`, {
      body: { hosts: [`${first}.localhost`] },
    });
    expect(answer.status).toBe(409);
    expect((await admin.request('GET', `/v1/tenants/${second}`)).body.tenant!.hosts).toEqual([
      `${second}.localhost`,
    ]);
  });

  test('DELETE asks for the id, then drops schemas, roles and rows', async () => {
    const { id } = await create();
    await admin.migrate(id, 'CREATE TABLE books (id int PRIMARY KEY); INSERT INTO books VALUES (1);');
    expect((await admin.request('DELETE', `/v1/tenants/${id}`)).status).toBe(400);
    expect((await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}`)).status).toBe(204);
    expect((await admin.request('GET', `/v1/tenants/${id}`)).status).toBe(404);
    expect((await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}`)).status).toBe(404);
    expect(await admin.shared('SELECT FROM pg_namespace WHERE nspname = $1', [id])).toEqual([]);
    expect(await admin.shared('SELECT FROM pg_roles WHERE starts_with(rolname, $1)', [`${id}_`])).toEqual([]);
    expect(await admin.control('SELECT FROM control.tenant_hosts WHERE tenant_id = $1', [id])).toEqual([]);
    const { status } = await admin.request('POST', '/v1/tenants', {
      body: { id, hosts: [`${id}.localhost`] },
    });
    expect(status).toBe(201);
  });

  test('rotating keys replaces the opaque ones, and the tokens when asked to', async () => {
    const { id, answer } = await create();
    const before = answer.body.keys!;
    const once = (await admin.request('POST', `/v1/tenants/${id}/keys/rotate`)).body.keys!;
    expect(once.publishable).not.toBe(before.publishable);
    expect(once.secret).not.toBe(before.secret);
    expect(once.anon).toBe(before.anon);
    const twice = await admin.request('POST', `/v1/tenants/${id}/keys/rotate`, { body: { keys: ['jwt'] } });
    expect(twice.body.keys!.anon).not.toBe(once.anon);
    expect(twice.body.keys!.secret).toBe(once.secret);
    expect(decodeJwt(String(twice.body.keys!.anon)).role).toBe('anon');
  });

  test('the list is paged by id', async () => {
    const { id: first } = await create();
    const { id: second } = await create();
    const [low, high] = [first, second].toSorted();
    const all = (await admin.request('GET', '/v1/tenants?limit=1000')).body.tenants as unknown as {
      id: string;
    }[];
    const index = all.findIndex(({ id }) => id === low);
    const before = all[index - 1]?.id ?? '';
    const page = await admin.request('GET', `/v1/tenants?limit=1&after=${before}`);
    expect((page.body.tenants as unknown as { id: string }[]).map(({ id }) => id)).toEqual([low]);
    expect(page.body.next).toBe(low);
    expect(all.some(({ id }) => id === high)).toBe(true);
    expect((await admin.request('GET', '/v1/tenants?limit=none')).status).toBe(400);
  });
});

describe('what is kept', () => {
  test('every change is in the audit log, with who and what, and without secrets', async () => {
    const { id } = await create({
      jwt: { secret: SECRET },
      postgrest: { 'app.settings.jwt_secret': SECRET },
    });
    await admin.request('PATCH', `/v1/tenants/${id}`, { body: { status: 'suspended' } });
    await admin.request('POST', `/v1/tenants/${id}/keys/rotate`);
    await admin.request('DELETE', `/v1/tenants/${id}?confirm=${id}`);
    const rows = await admin.control<{
      action: string;
      actor: string;
      address: string;
      before: unknown;
      after: unknown;
    }>(
      'SELECT action, actor, address, before, after FROM control.audit_log WHERE tenant_id = $1 ORDER BY id',
      [id],
    );
    expect(rows.map(({ action }) => action)).toEqual([
      'tenant.create',
      'tenant.update',
      'keys.rotate',
      'tenant.delete',
    ]);
    expect(rows[0]!.actor).toMatch(/^[0-9a-f]{12}$/);
    expect(rows[0]!.address).toBe('127.0.0.1');
    expect(rows[1]).toMatchObject({ before: { status: 'active' }, after: { status: 'suspended' } });
    expect(JSON.stringify(rows)).not.toContain(SECRET);
  });

  test('no secret is in clear in any table of the registry', async () => {
    const { id, answer } = await create({ jwt: { secret: SECRET } });
    const rows = await admin.control(
      `SELECT to_jsonb(t)::text AS t, (SELECT jsonb_agg(k)::text FROM control.api_keys k WHERE k.tenant_id = t.id) AS k
       FROM control.tenants t WHERE t.id = $1`,
      [id],
    );
    const text = JSON.stringify(rows);
    for (const secret of [SECRET, String(answer.body.keys!.secret), String(answer.body.keys!.publishable)]) {
      expect(text).not.toContain(secret);
    }
  });
});
