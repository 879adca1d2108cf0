import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { databaseUrl, runSql } from '../../../test/support/database.ts';
import { SECRET, signToken } from '../../../test/support/ejection.ts';
import {
  startTestPostgres,
  systemPostgresBinaries,
  type TestPostgres,
} from '../../../test/support/postgres.ts';
import { sealFor } from '../../ejection/move.ts';
import { type AdminHarness, type Json, startAdminHarness } from '../support/admin-harness.ts';
import { exportArchive, hydrate, PASSPHRASE } from '../support/archive-client.ts';
import { type GatewayBeside, startGatewayBeside } from '../support/gateway-beside.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const USER = '00000000-0000-4000-8000-000000000002';
/** As Supabase gives them; `boss` owns the database and is no superuser. */
const ROLES = `
  CREATE ROLE anon NOLOGIN NOINHERIT; CREATE ROLE authenticated NOLOGIN NOINHERIT; CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
  CREATE ROLE boss LOGIN CREATEROLE PASSWORD 'b'; CREATE ROLE auditor NOLOGIN; CREATE ROLE backup LOGIN;
  GRANT anon, authenticated, service_role TO boss WITH ADMIN OPTION;
  ALTER ROLE authenticated SET statement_timeout = '8s';`;
const PROJECT = `
  CREATE SCHEMA auth; GRANT USAGE ON SCHEMA auth TO PUBLIC;
  CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS
    $$ SELECT (current_setting('request.jwt.claims', true)::jsonb ->> 'sub')::uuid $$;
  CREATE TABLE auth.users (id uuid PRIMARY KEY);
  CREATE SCHEMA private AUTHORIZATION boss; CREATE SCHEMA "Notes of theirs"; CREATE TABLE "Notes of theirs".x (n int);
  CREATE EXTENSION citext;
  SET ROLE boss;
  CREATE TABLE private.staff (who uuid PRIMARY KEY);
  CREATE FUNCTION private.is_staff() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS
    $$ SELECT EXISTS (SELECT FROM private.staff WHERE who = auth.uid()) $$;
  GRANT USAGE ON SCHEMA private TO authenticated;
  RESET ROLE; GRANT CREATE ON SCHEMA public TO boss; SET ROLE boss;
  CREATE TYPE mood AS ENUM ('fine', 'bad');
  CREATE TABLE todos (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner uuid NOT NULL DEFAULT auth.uid(), title citext, feeling mood, paid numeric(9, 2), file oid);
  ALTER TABLE todos ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON todos TO authenticated, auditor USING (owner = auth.uid() OR private.is_staff());
  CREATE POLICY audit ON todos AS RESTRICTIVE FOR SELECT TO auditor USING (false);
  GRANT ALL ON todos TO authenticated, service_role; GRANT SELECT (id, title) ON todos TO anon, auditor; GRANT SELECT ON todos TO backup;
  ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO authenticated, backup;
  CREATE VIEW titles WITH (security_barrier) AS SELECT title FROM todos; GRANT SELECT ON titles TO anon;
  INSERT INTO todos (owner, title, feeling, paid) SELECT CASE WHEN n % 2 = 0 THEN '${USER}'::uuid ELSE gen_random_uuid() END, 'todo ' || n, 'fine', n / 3.0
    FROM generate_series(1, 500) n;
  UPDATE todos SET file = lo_from_bytea(0, '\\xcafe') WHERE id = 1;
  RESET ROLE;`;

let server: TestPostgres;
let remote: TestPostgres;
let a: AdminHarness;
let b: AdminHarness;
let gateway: GatewayBeside;

beforeAll(async () => {
  const binaries = await systemPostgresBinaries();
  [server, remote] = await Promise.all([startTestPostgres({ binaries }), startTestPostgres({ binaries })]);
  a = await startAdminHarness({ serverUrl: server.url });
  b = await startAdminHarness({ serverUrl: server.url });
  gateway = await startGatewayBeside(b);
  await runSql(remote.url, ROLES);
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([a?.stop(), b?.stop()]);
  await Promise.all([server?.stop(), remote?.stop()]);
});

let databases = 0;

/** A project that nobody here has made. @returns superuser DSN of its database */
async function aProject(more = ''): Promise<string> {
  const name = `project${++databases}`;
  await runSql(remote.url, `CREATE DATABASE ${name} TEMPLATE template0`);
  const url = databaseUrl(remote.url, name);
  await runSql(url, PROJECT + more);
  return url;
}

/** The same, as another login. */
function as(login: string, url: string): string {
  const changed = new URL(url);
  changed.username = login;
  changed.password = login.slice(0, 1);
  return changed.href;
}

async function run(admin: AdminHarness, path: string, body: object): Promise<Json> {
  const asked = await admin.request('POST', path, { body });
  expect(asked.status, asked.text).toBe(202);
  return admin.waitForJob(String(asked.body.job?.id));
}

async function adopt(url: string, more: object = {}): Promise<string> {
  const id = a.tenantId('x');
  const job = await run(a, `/v1/tenants/${id}/adopt`, {
    hosts: [`${id}.localhost`],
    remote_connection_string: url,
    jwt: { secret: SECRET },
    limits: { max_in_flight: 7 },
    ...more,
  });
  expect(job.state, JSON.stringify(job.error)).toBe('completed');
  return id;
}

async function digest(admin: AdminHarness, id: string): Promise<Json> {
  const job = await run(admin, `/v1/tenants/${id}/digest`, { passphrase: PASSPHRASE, what: 'all' });
  expect(job.state, JSON.stringify(job.error)).toBe('completed');
  const { definitions: _, contents_seconds: __, ...rest } = job.result!;
  return rest as Json;
}

const rowsOf = async (url: string, text: string) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text, rowMode: 'array' })).rows.map((row: unknown[]) => row.join(' '));
  } finally {
    await client.end();
  }
};

const LOGINS = `SELECT rolname FROM pg_roles WHERE rolname LIKE 'cascata\\_run%'`;

test('an adopted tenant becomes an archive, and the archive a tenant of another installation with the same digests, that its old tokens work at', async () => {
  const url = await aProject();
  const id = await adopt(url, { migrations_connection_string: url });
  const { jobId, bytes } = await exportArchive(a, id);
  const { result } = await a.waitForJob(jobId);
  // What is left behind is said, one sentence each.
  expect(result?.archive?.absent).toEqual([
    expect.stringMatching(/^Notes of theirs: The schema stays where it is/),
    expect.stringMatching(/^auth: The schema stays where it is/),
    expect.stringMatching(/^auditor: Rights and policies of the role are left out/),
    expect.stringMatching(/^backup: Rights and policies of the role are left out/),
    expect.stringMatching(/^authenticated: Its settings are left out: statement_timeout/),
  ]);
  expect(await rowsOf(remote.url, LOGINS)).toEqual([]);

  const job = await hydrate(b, bytes);
  expect(job.state, JSON.stringify(job.error)).toBe('completed');
  const { body } = await b.request('GET', `/v1/tenants/${id}`);
  expect(body.tenant).toMatchObject({ placement: { kind: 'database' }, hosts: [`${id}.localhost`] });
  expect(await digest(b, id)).toEqual(await digest(a, id));

  const home = databaseUrl(server.url, `cascata_t_${id}`);
  expect(
    await rowsOf(
      home,
      `SELECT DISTINCT r.grantee::regrole FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) r WHERE c.relname = 'todos'`,
    ),
  ).toEqual(expect.arrayContaining([`${id}_owner`, `${id}_authenticated`, `${id}_service_role`]));
  expect(
    await rowsOf(
      home,
      `SELECT polname, ARRAY(SELECT r::regrole::text FROM unnest(polroles) r) FROM pg_policy`,
    ),
  ).toEqual([`own ${id}_authenticated`]);

  const user = await signToken({ role: 'authenticated', sub: USER });
  const mine = await gateway.get(id, 'todos?select=id,title&order=id&limit=2', undefined, user);
  expect(mine.body).toEqual([
    { id: 2, title: 'todo 2' },
    { id: 4, title: 'todo 4' },
  ]);
  expect((await gateway.get(id, 'todos?select=title&id=eq.1')).body).toEqual([]);
  expect((await gateway.get(id, 'titles?order=title&limit=1')).body).toEqual([{ title: 'todo 1' }]);
  const service = await signToken({ role: 'service_role' });
  expect((await gateway.get(id, 'todos?select=count', undefined, service)).body).toEqual([{ count: 500 }]);
});

describe('what reads a database of somebody else’s', () => {
  test('is a role that the login of requests can become, where that may read all; or nobody, and the tables are named', async () => {
    const url = await aProject(
      'GRANT USAGE ON SCHEMA private TO service_role; GRANT SELECT ON ALL TABLES IN SCHEMA private TO service_role; ALTER TABLE todos DROP COLUMN file;',
    );
    await runSql(url, 'SELECT lo_unlink(oid) FROM pg_largeobject_metadata');
    const id = await adopt(as('boss', url));
    const lacking = await run(a, `/v1/tenants/${id}/export`, { passphrase: PASSPHRASE });
    expect(lacking.error).toMatchObject({
      code: 'preflight',
      details: expect.stringMatching(/^public\.todos_id_seq: No login that is known here can read all of it/),
    });
    await runSql(url, 'GRANT SELECT ON SEQUENCE todos_id_seq TO service_role');
    const job = await hydrate(b, (await exportArchive(a, id)).bytes);
    expect(job.state, JSON.stringify(job.error)).toBe('completed');
    expect(await digest(b, id)).toEqual(await digest(a, id));
  });

  test('is told by a dry run what stands in the way, with what to do, and nothing is made', async () => {
    const url = await aProject(`
      CREATE TABLE profiles (id uuid REFERENCES auth.users); ALTER TABLE profiles OWNER TO boss;
      CREATE ROLE weak_${databases} NOLOGIN; CREATE ROLE editor NOLOGIN; GRANT editor TO authenticated;
      GRANT SELECT ON todos TO editor;
      CREATE TABLE theirs (n int); ALTER TABLE theirs OWNER TO service_role;
      CREATE FUNCTION as_weak() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; ALTER FUNCTION as_weak() OWNER TO weak_${databases};
      CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; CREATE FOREIGN TABLE outside (n int) SERVER files OPTIONS (filename '/dev/null');`);
    const id = await adopt(url, { migrations_connection_string: url });
    const told = await run(a, `/v1/tenants/${id}/export`, { passphrase: PASSPHRASE, dry_run: true });
    expect(told.state).toBe('failed');
    expect(String(told.error?.details).split('\n')).toEqual([
      expect.stringMatching(
        /^auth\.users: constraint profiles_id_fkey on table (public\.)?profiles depends on it/,
      ),
      expect.stringMatching(/^(public\.)?as_weak\(\): Runs with the rights of weak_\d/),
      expect.stringMatching(/^public\.theirs: Belongs to service_role/),
      expect.stringMatching(/^public\.outside: A foreign table/),
      expect.stringMatching(/^editor: Requests can become it/),
    ]);
    expect(await rowsOf(remote.url, LOGINS)).toEqual([]);
  });

  test('is a login that is gone when the job is cancelled; and what no tenant may have is found before anything is written', async () => {
    const url = await aProject();
    const id = await adopt(url, { migrations_connection_string: url });
    const other = new pg.Client({ connectionString: url });
    await other.connect();
    await other.query('BEGIN; LOCK TABLE todos');
    const asked = await a.request('POST', `/v1/tenants/${id}/export`, { body: { passphrase: PASSPHRASE } });
    const job = String(asked.body.job?.id);
    await expect.poll(async () => (await rowsOf(remote.url, LOGINS)).length, { timeout: 10_000 }).toBe(1);
    await a.request('POST', `/v1/jobs/${job}/cancel`);
    expect((await a.waitForJob(job)).state).toBe('cancelled');
    await other.end();
    expect(await rowsOf(remote.url, LOGINS)).toEqual([]);

    await runSql(
      url,
      `CREATE FUNCTION clock() RETURNS timestamptz LANGUAGE internal AS 'now'; ALTER FUNCTION clock() OWNER TO boss`,
    );
    const told = await run(a, `/v1/tenants/${id}/export`, { passphrase: PASSPHRASE, dry_run: true });
    expect(told.error).toMatchObject({
      code: 'untrusted-language',
      message: expect.stringMatching(/^An archive of it would be refused: FUNCTION public\.clock\(\)/),
    });
    await runSql(url, 'DROP FUNCTION clock()');
    // A login of migrations that does not work any more is in nobody's way, where another one may read all.
    await a.control('UPDATE control.adoptions SET sealed_migrator = $2 WHERE tenant_id = $1', [
      id,
      sealFor(a, id, { field: 'migrator', plain: 'postgres://nobody:x@127.0.0.1:1/x' }),
    ]);
    await runSql(
      url,
      'GRANT USAGE ON SCHEMA private TO service_role; GRANT SELECT ON private.staff, todos_id_seq TO service_role',
    );
    const fine = await run(a, `/v1/tenants/${id}/export`, { passphrase: PASSPHRASE, dry_run: true });
    expect([fine.error, JSON.stringify(fine.result)]).toEqual([
      null,
      expect.stringContaining('schemas private, public'),
    ]);
  });
});
