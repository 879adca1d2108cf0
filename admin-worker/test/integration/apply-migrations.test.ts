import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AdminHarness, type Json, startAdminHarness } from '../support/admin-harness.ts';

let admin: AdminHarness;
beforeAll(async () => {
  admin = await startAdminHarness();
});
afterAll(() => admin.stop());

async function aTenant(postgrest: Record<string, unknown> = {}): Promise<string> {
  const id = admin.tenantId();
  const { status, text } = await admin.request('POST', '/v1/tenants', {
    body: { id, hosts: [`${id}.localhost`], postgrest },
  });
  if (status !== 201) throw new Error(text);
  return id;
}

/** Privileges of the tenant's roles on a relation, as `role: PRIVILEGE`. */
async function privileges(id: string, relation: string): Promise<string[]> {
  const rows = await admin.shared<{ entry: string }>(
    `SELECT DISTINCT format('%s: %s', replace(pg_get_userbyid(e.grantee), $1 || '_', ''), e.privilege_type) AS entry
     FROM pg_class c, aclexplode(c.relacl) e
     WHERE c.oid = $2::regclass AND pg_get_userbyid(e.grantee) <> $1 || '_owner' ORDER BY 1`,
    [id, `${id}.${relation}`],
  );
  return rows.map(({ entry }) => entry);
}

const placeholderEntries = `
  SELECT 'relation' AS kind, c.oid::regclass::text AS name FROM pg_class c, aclexplode(c.relacl) e
  WHERE e.grantee IN (SELECT oid FROM pg_roles WHERE rolname IN ('anon', 'authenticated', 'service_role'))
  UNION ALL
  SELECT 'dependency', d.classid::regclass::text || ' ' || d.objid FROM pg_shdepend d
  WHERE d.refobjid IN (SELECT oid FROM pg_roles WHERE rolname IN ('anon', 'authenticated', 'service_role'))
    AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())`;

describe('portable SQL', () => {
  test('grants and policies for anon and authenticated end on the roles of the project', async () => {
    const id = await aTenant();
    const job = await admin.migrate(
      id,
      `-- UP
       CREATE TABLE public.notes (id int PRIMARY KEY, owner uuid DEFAULT auth.uid(), secret text);
       ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
       REVOKE ALL ON public.notes FROM anon, authenticated, service_role;
       GRANT SELECT (id, owner), UPDATE (owner) ON notes TO anon;
       GRANT SELECT, INSERT ON public.notes TO authenticated WITH GRANT OPTION;
       CREATE POLICY own ON public.notes FOR ALL TO anon, authenticated USING (owner = auth.uid());
       CREATE POLICY everyone ON public.notes FOR SELECT TO public USING (true);
       CREATE FUNCTION public.answer() RETURNS int LANGUAGE sql AS $$ SELECT count(*)::int FROM public.notes $$;
       REVOKE EXECUTE ON FUNCTION public.answer() FROM PUBLIC, anon;
       CREATE TYPE public.mood AS ENUM ('ok');
       GRANT USAGE ON TYPE public.mood TO service_role;
       GRANT USAGE ON SCHEMA public TO PUBLIC;
       -- DOWN
       DROP TABLE public.notes;`,
    );
    expect(job).toMatchObject({ state: 'completed', progress: 100, error: null });
    expect(await privileges(id, 'notes')).toEqual(['authenticated: INSERT', 'authenticated: SELECT']);
    const columns = await admin.shared(
      `SELECT a.attname, array_agg(format('%s: %s', pg_get_userbyid(e.grantee), e.privilege_type) ORDER BY 1) AS acl
       FROM pg_attribute a, aclexplode(a.attacl) e WHERE a.attrelid = $1::regclass GROUP BY 1 ORDER BY 1`,
      [`${id}.notes`],
    );
    expect(columns).toEqual([
      { attname: 'id', acl: [`${id}_anon: SELECT`] },
      { attname: 'owner', acl: [`${id}_anon: SELECT`, `${id}_anon: UPDATE`] },
    ]);
    const policies = await admin.shared(
      `SELECT polname, ARRAY(SELECT CASE r WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r)::text END FROM unnest(polroles) r ORDER BY 1) AS roles
       FROM pg_policy WHERE polrelid = $1::regclass ORDER BY 1`,
      [`${id}.notes`],
    );
    expect(policies).toEqual([
      { polname: 'everyone', roles: ['PUBLIC'] },
      { polname: 'own', roles: [`${id}_anon`, `${id}_authenticated`] },
    ]);
    const executors = await admin.shared(
      `SELECT pg_get_userbyid(e.grantee) AS role FROM pg_proc p, aclexplode(p.proacl) e
       WHERE p.oid = ($1 || '.answer()')::regprocedure ORDER BY 1`,
      [id],
    );
    expect(executors.map(({ role }) => role)).toEqual([
      `${id}_authenticated`,
      `${id}_owner`,
      `${id}_service_role`,
    ]);
    const schema = await admin.shared(
      `SELECT DISTINCT pg_get_userbyid(e.grantee) AS role FROM pg_namespace n, aclexplode(n.nspacl) e WHERE n.nspname = $1 ORDER BY 1`,
      [id],
    );
    expect(schema.map(({ role }) => role)).toEqual(
      ['anon', 'authenticated', 'owner', 'service_role'].map((role) => `${id}_${role}`),
    );
    expect(await admin.shared(placeholderEntries)).toEqual([]);
  });

  test('a new table is open to the three roles, as on Supabase', async () => {
    const id = await aTenant();
    await admin.migrate(id, 'CREATE TABLE t (id int);');
    const entries = await privileges(id, 't');
    for (const role of ['anon', 'authenticated', 'service_role']) {
      expect(entries).toEqual(
        expect.arrayContaining([`${role}: SELECT`, `${role}: INSERT`, `${role}: DELETE`]),
      );
    }
  });

  test('a REVOKE in a later migration finds what an earlier one granted, also from dynamic SQL', async () => {
    const id = await aTenant();
    await admin.migrate(id, 'CREATE TABLE a (id int); CREATE TABLE b (id int);');
    const job = await admin.migrate(
      id,
      `REVOKE ALL ON a FROM anon;
       DO $$ BEGIN EXECUTE 'revoke insert, update, delete, truncate, references, trigger, maintain on b from anon'; END $$;
       ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM anon;`,
      'CREATE TABLE c (id int);',
    );
    expect(job).toMatchObject({ state: 'completed' });
    const anon = async (table: string) =>
      (await privileges(id, table)).filter((entry) => entry.startsWith('anon:'));
    expect(await anon('a')).toEqual([]);
    expect(await anon('b')).toEqual(['anon: SELECT']);
    expect(await anon('c')).toEqual([]);
    expect(await privileges(id, 'a')).toEqual(expect.arrayContaining(['authenticated: SELECT']));
    expect(await admin.shared(placeholderEntries)).toEqual([]);
  });

  test('default privileges for a placeholder become those of the project', async () => {
    const id = await aTenant();
    await admin.migrate(
      id,
      `ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO anon;
       ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM anon;`,
    );
    await admin.migrate(id, 'CREATE TABLE d (id int)');
    expect((await privileges(id, 'd')).filter((entry) => entry.startsWith('anon:'))).toEqual([
      'anon: SELECT',
    ]);
  });

  test('further exposed schemas are reached by their logical names', async () => {
    const id = await aTenant({ 'db-schemas': 'public, api' });
    const job = await admin.migrate(
      id,
      `CREATE TABLE api.t (id int); CREATE VIEW public.v AS SELECT * FROM api.t; GRANT SELECT ON api.t TO anon;`,
    );
    expect(job).toMatchObject({ state: 'completed' });
    const rows = await admin.shared(
      `SELECT table_schema || '.' || table_name AS name FROM information_schema.tables WHERE starts_with(table_schema, $1) ORDER BY 1`,
      [id],
    );
    expect(rows.map(({ name }) => name)).toEqual([`${id}.v`, `${id}_api.t`]);
  });

  test('what a role of one project may do, a role of another may not', async () => {
    const [a, b] = [await aTenant(), await aTenant()];
    await admin.migrate(a, 'CREATE TABLE t (id int); INSERT INTO t VALUES (1); GRANT ALL ON t TO PUBLIC;');
    await admin.migrate(b, 'CREATE TABLE t (id int);');
    const client = new pg.Client({ connectionString: admin.sharedUrl });
    await client.connect();
    await client.query(`SET ROLE ${b}_service_role`);
    await expect(client.query(`SELECT * FROM ${a}.t`)).rejects.toMatchObject({ code: '42501' });
    await client.query(`SET ROLE ${a}_anon`);
    expect((await client.query(`SELECT * FROM ${a}.t`)).rows).toEqual([{ id: 1 }]);
    await client.end();
  });
});

describe('running migrations', () => {
  test('the same migration again is skipped; another text under its name fails', async () => {
    const id = await aTenant();
    const post = async (sql: string) => {
      const body = { migrations: [{ name: '202611220001__books.sql', sql }] };
      const { body: answer } = await admin.request('POST', `/v1/tenants/${id}/migrations`, { body });
      return admin.waitForJob(String(answer.job?.id));
    };
    expect(await post('CREATE TABLE books (id int);')).toMatchObject({
      state: 'completed',
      result: { applied: ['202611220001__books.sql'], skipped: [] },
    });
    expect(await post('CREATE TABLE books (id int);')).toMatchObject({
      state: 'completed',
      result: { applied: [], skipped: ['202611220001__books.sql'] },
    });
    const changed = await post('CREATE TABLE books (id bigint);');
    expect(changed).toMatchObject({ state: 'failed' });
    expect(changed.error?.message).toContain('202611220001__books.sql was applied before with another text');
    const listed = (await admin.request('GET', `/v1/tenants/${id}/migrations`)).body;
    expect(listed.migrations).toEqual([
      expect.objectContaining({ name: '202611220001__books.sql', state: 'applied' }),
    ]);
  });

  test('a failing statement rolls back the whole request and says where it is', async () => {
    const id = await aTenant();
    const job = await admin.migrate(
      id,
      'CREATE TABLE first (id int);',
      '-- UP\nCREATE TABLE second (\n  id int,\n  x nonsense\n);',
    );
    expect(job).toMatchObject({ state: 'failed', error: { code: '42704' } });
    expect(job.error?.message).toMatch(/^\d{12}__test\.sql, line 4: type "nonsense" does not exist$/);
    expect(
      await admin.shared(
        'SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1',
        [id],
      ),
    ).toEqual([]);
    expect(await admin.control('SELECT FROM control.tenant_migrations WHERE tenant_id = $1', [id])).toEqual(
      [],
    );
    expect(await admin.migrate(id, 'CREATE TABLE first (id int);')).toMatchObject({ state: 'completed' });
  });

  test('the gateway is told that the schema has changed', async () => {
    const id = await aTenant();
    const client = new pg.Client({ connectionString: admin.controlUrl });
    await client.connect();
    await client.query('LISTEN cascata_registry');
    const payloads: Json[] = [];
    client.on('notification', ({ payload }) => payloads.push(JSON.parse(payload ?? '')));
    await admin.migrate(id, 'CREATE TABLE t (id int)');
    await admin.request('POST', `/v1/tenants/${id}/schema/reload`);
    await expect.poll(() => payloads.length).toBe(2);
    const expected = { tenant: id, hosts: [`${id}.localhost`], schema: true };
    expect(payloads).toEqual([expected, expected]);
    await client.end();
  });

  test('a run that was killed after its COMMIT is not run again', async () => {
    const id = await aTenant();
    await admin.migrate(id, 'CREATE TABLE once (id int)');
    // What the registry holds when the runner dies between the COMMIT there and its own.
    await admin.control(
      `UPDATE control.tenant_migrations SET state = 'applying', applied_at = NULL WHERE tenant_id = $1`,
      [id],
    );
    const [row] = await admin.control<{ name: string; sql: string }>(
      'SELECT name, sql FROM control.tenant_migrations WHERE tenant_id = $1',
      [id],
    );
    const { body } = await admin.request('POST', `/v1/tenants/${id}/migrations`, {
      body: { migrations: [row] },
    });
    const job = await admin.waitForJob(String(body.job?.id));
    expect(job).toMatchObject({ state: 'completed', result: { applied: [], skipped: [row?.name] } });
  });

  test('no login of a run is left behind', async () => {
    expect(
      await admin.shared(
        // Other test files have runs of their own in the same cluster.
        `SELECT r.rolname FROM pg_roles r
         JOIN pg_auth_members m ON m.member = r.oid
         JOIN pg_namespace n ON n.nspowner = m.roleid
         WHERE starts_with(r.rolname, 'cascata_run_')`,
      ),
    ).toEqual([]);
  });

  test('a remote project is migrated with its own login', async () => {
    const id = admin.tenantId();
    await admin.request('POST', '/v1/tenants', {
      body: {
        id,
        hosts: [`${id}.localhost`],
        placement: {
          kind: 'remote',
          remote_connection_string: admin.controlUrl.replace(/\/\/[^@]*@/, '//postgres:x@'),
        },
      },
    });
    const job = await admin.migrate(id, `CREATE TABLE public.remote_${id} (id int)`);
    expect(job).toMatchObject({ state: 'completed' });
    expect(await admin.control('SELECT to_regclass($1)::text AS t', [`public.remote_${id}`])).toEqual([
      { t: `remote_${id}` },
    ]);
  });
});

describe('hostile migrations', () => {
  const victimId = () => victim;
  let victim: string;
  let attacker: string;
  beforeAll(async () => {
    victim = await aTenant();
    attacker = await aTenant();
    await admin.migrate(victim, 'CREATE TABLE secrets (id int); INSERT INTO secrets VALUES (42);');
  });

  test.each([
    ['COMMIT', 'COMMIT; DROP TABLE x;', /COMMIT is not allowed/],
    ['a COMMIT behind comments', '/* a /* b */ */ -- c\n COMMIT', /COMMIT is not allowed/],
    ['END', 'SELECT 1; END', /END is not allowed/],
    ['ROLLBACK', 'rollback', /ROLLBACK is not allowed/],
    ['PREPARE TRANSACTION', `PREPARE TRANSACTION 'x'`, /PREPARE TRANSACTION is not allowed/],
    ['SET ROLE', 'SET ROLE postgres', /SET ROLE is not allowed/],
    [
      'RESET SESSION AUTHORIZATION',
      'RESET SESSION AUTHORIZATION',
      /RESET SESSION_?\s?AUTHORIZATION|RESET AUTHORIZATION/,
    ],
    ['COPY FROM STDIN', 'COPY t FROM STDIN', /COPY/],
    ['COMMIT inside DO', 'DO $$ BEGIN COMMIT; END $$', /invalid transaction termination/],
    [
      'RESET ROLE and reading',
      `DO $$ BEGIN RESET ROLE; PERFORM * FROM VICTIM.secrets; END $$`,
      /permission denied/,
    ],
    [
      'a role of another project',
      `DO $$ BEGIN EXECUTE 'SET ROLE VICTIM_owner'; END $$`,
      /permission denied to set role/,
    ],
    ['set_config role', `SELECT set_config('role', 'VICTIM_anon', true)`, /permission denied to set role/],
    [
      'superuser by name',
      `DO $$ BEGIN EXECUTE 'SET SESSION AUTHORIZATION postgres'; END $$`,
      /permission denied to set session authorization/,
    ],
    ['a membership', 'GRANT VICTIM_owner TO ATTACKER_owner', /permission denied to grant role/],
    [
      'the placeholder role',
      'SET LOCAL search_path = pg_catalog; GRANT anon TO ATTACKER_owner',
      /permission denied to grant role/,
    ],
    [
      'a grant to another project',
      'CREATE TABLE gift (id int); GRANT SELECT ON gift TO VICTIM_anon',
      /names? the role|grants to the role/,
    ],
    [
      'a policy for another project',
      'CREATE TABLE gift2 (id int); CREATE POLICY p ON gift2 TO VICTIM_anon USING (true)',
      /names the role/,
    ],
    [
      'default privileges for another project',
      'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO VICTIM_anon',
      /names the role/,
    ],
    ['the own schema gone', 'DROP SCHEMA public CASCADE', /is gone/],
    [
      'objects of the login of the run',
      'DO $$ BEGIN RESET ROLE; CREATE TABLE mine (id int); END $$',
      /belongs to the role cascata_run_/,
    ],
    [
      'a grant from a deferred trigger',
      `CREATE TABLE q (id int);
       CREATE FUNCTION give() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'GRANT SELECT ON q TO VICTIM_anon'; RETURN NULL; END $$;
       CREATE CONSTRAINT TRIGGER late AFTER INSERT ON q DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION give();
       INSERT INTO q VALUES (1);`,
      /grants to the role/,
    ],
    ['another schema', 'CREATE SCHEMA elsewhere', /permission denied for database/],
    ['a file of the server', `COPY (SELECT 1) TO '/tmp/x'`, /permission denied to COPY/],
  ])('%s is refused and nothing is applied', async (_, sql, message) => {
    const text = sql.replaceAll('VICTIM', victimId()).replaceAll('ATTACKER', attacker);
    const job = await admin.migrate(attacker, 'CREATE TABLE before_the_attack (id int);', text);
    expect(job.state).toBe('failed');
    expect(String(job.error?.message)).toMatch(message);
    const left = await admin.shared(
      `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1`,
      [attacker],
    );
    expect(left).toEqual([]);
  });

  test('a search path of its own does not keep grants from being settled', async () => {
    const job = await admin.migrate(
      attacker,
      `CREATE TABLE public.t (id int);
       CREATE FUNCTION public.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS $$ SELECT 'SELECT 1' $$;
       GRANT SELECT ON public.t TO anon;
       SET search_path = public, pg_catalog;`,
    );
    expect(job).toMatchObject({ state: 'completed' });
    expect(await admin.shared(placeholderEntries)).toEqual([]);
    expect(await privileges(attacker, 't')).toContain('anon: SELECT');
  });
});
