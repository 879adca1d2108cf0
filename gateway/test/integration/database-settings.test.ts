import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase, runSql, type TestDatabase } from '../../../test/support/database.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { ask } from './support/ask.ts';

const JWT_SECRET = 'secret-of-database-settings-32-characters';

let database: TestDatabase;
let gateway: TestGateway | undefined;
let login: string;
let anon: string;

beforeEach(async () => {
  database = await createTestDatabase();
  login = `login_${database.name}`;
  anon = `anon_${database.name}`;
  await runSql(
    database.url,
    `CREATE ROLE ${anon} NOLOGIN;
     CREATE ROLE ${login} LOGIN NOINHERIT;
     GRANT ${anon} TO ${login};
     CREATE SCHEMA api;
     GRANT USAGE ON SCHEMA public, api TO ${anon}, ${login};
     CREATE TABLE public.notes AS SELECT n AS id FROM generate_series(1, 9) n;
     CREATE TABLE api.books AS SELECT 'Emma' AS title;
     GRANT SELECT ON public.notes, api.books TO ${anon};
     CREATE FUNCTION public.config() RETURNS void LANGUAGE sql AS
       $$ SELECT set_config('pgrst.db_max_rows', '3', true) $$;`,
  );
});

afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
  await runSql(database.url, `DROP OWNED BY ${login}, ${anon}; DROP ROLE ${login}, ${anon}`);
  await database.drop();
});

/** A gateway in front of the database, with these settings in the registry. */
async function serve(
  postgrest: Readonly<Record<string, string | number | boolean | null>> = {},
): Promise<void> {
  const url = new URL(database.url);
  url.username = login;
  gateway = await startGateway({
    databaseUrl: url.href,
    postgrest: { 'db-anon-role': anon, ...postgrest },
    jwtSecret: JWT_SECRET,
  });
}

const get = (path: string, headers: Record<string, string> = {}) =>
  ask(gateway!, `/rest/v1${path}`, { headers });

async function rows(path: string): Promise<number> {
  const { json } = await get(path);
  return Array.isArray(json) ? json.length : -1;
}

const ignored = () => gateway!.observations.filter(({ kind }) => kind === 'settings-ignored');

describe('X7: settings of the login’s role', () => {
  test('win over the registry’s', async () => {
    await runSql(database.url, `ALTER ROLE ${login} SET pgrst.db_max_rows = '4'`);
    await serve({ 'db-max-rows': 7 });
    expect(await rows('/notes')).toBe(4);
  });

  test('of this database win over those of all', async () => {
    await runSql(
      database.url,
      `ALTER ROLE ${login} SET pgrst.db_max_rows = '4';
       ALTER ROLE ${login} IN DATABASE ${database.name} SET pgrst.db_max_rows = '2'`,
    );
    await serve();
    expect(await rows('/notes')).toBe(2);
  });

  test('may say which schemas are exposed', async () => {
    await runSql(database.url, `ALTER ROLE ${login} SET pgrst.db_schemas = 'api, public'`);
    await serve();
    expect((await get('/books')).json).toEqual([{ title: 'Emma' }]);
    expect((await get('/notes')).status).toBe(404);
    expect((await get('/notes', { 'accept-profile': 'public' })).status).toBe(200);
  });

  test('may name the anonymous role, which the first request already runs as', async () => {
    await runSql(database.url, `ALTER ROLE ${login} SET pgrst.db_anon_role = '${anon}'`);
    await serve({ 'db-anon-role': null });
    expect((await get('/notes')).status).toBe(200);
    expect((await get('/notes')).status).toBe(200);
  });

  test('may set app.settings and headers', async () => {
    await runSql(
      database.url,
      `ALTER ROLE ${login} SET pgrst.app.settings.motto = 'play on';
       ALTER ROLE ${login} SET pgrst.server_cors_allowed_origins = 'https://a.example';
       CREATE FUNCTION public.motto() RETURNS text STABLE LANGUAGE sql AS
         $$ SELECT current_setting('app.settings.motto') $$`,
    );
    await serve();
    const answer = await get('/rpc/motto', { origin: 'https://a.example' });
    expect(answer.json).toBe('play on');
    expect(answer.headers['access-control-allow-origin']).toBe('https://a.example');
    const preflight = await ask(gateway!, '/rest/v1/notes', {
      method: 'OPTIONS',
      headers: { origin: 'https://b.example', 'access-control-request-method': 'GET' },
    });
    expect(preflight.headers['access-control-allow-origin']).toBeUndefined();
  });

  test('that cannot be used are left out, with one line in the log', async () => {
    await runSql(
      database.url,
      `ALTER ROLE ${login} SET pgrst.db_max_rows = 'many';
       ALTER ROLE ${login} SET pgrst.jwt_secret = 'taken-over-by-whoever-may-alter-the-role';
       ALTER ROLE ${login} SET pgrst.db_pool = '100';
       ALTER ROLE ${login} SET pgrst.db_plan_enabled = 'true'`,
    );
    await serve({ 'db-max-rows': 6 });
    expect(await rows('/notes')).toBe(6);
    expect((await get('/notes', { accept: 'application/vnd.pgrst.plan+json' })).status).toBe(200);
    expect(ignored()).toEqual([
      {
        kind: 'settings-ignored',
        tenantId: 'subject',
        problems: [
          { name: 'db-max-rows', message: 'must be a whole number of at least 0, not "many"' },
          { name: 'jwt-secret', message: 'is set with "jwt": {"secret": …} here' },
          { name: 'db-pool', message: 'is set per process, not per tenant (see docs/configuration.md)' },
        ],
      },
    ]);
  });

  test('are not read with db-config=false', async () => {
    await runSql(database.url, `ALTER ROLE ${login} SET pgrst.db_max_rows = '4'`);
    await serve({ 'db-config': false });
    expect(await rows('/notes')).toBe(9);
  });
});

describe('X7: db-pre-config', () => {
  test('wins over the role’s settings', async () => {
    await runSql(database.url, `ALTER ROLE ${login} SET pgrst.db_max_rows = '4'`);
    await serve({ 'db-pre-config': 'public.config' });
    expect(await rows('/notes')).toBe(3);
  });

  test('may itself be named by the role’s settings', async () => {
    await runSql(database.url, `ALTER ROLE ${login} SET pgrst.db_pre_config = 'public.config'`);
    await serve();
    expect(await rows('/notes')).toBe(3);
  });

  test('may say which schemas are exposed', async () => {
    await runSql(
      database.url,
      `CREATE OR REPLACE FUNCTION public.config() RETURNS void LANGUAGE sql AS
         $$ SELECT set_config('pgrst.db_schemas', string_agg(nspname, ','), true) FROM pg_namespace WHERE nspname = 'api' $$`,
    );
    await serve({ 'db-pre-config': 'public.config' });
    expect((await get('/books')).status).toBe(200);
  });

  test('may set what SQL reads as app.settings', async () => {
    await runSql(
      database.url,
      `CREATE FUNCTION public.setting(name text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT current_setting(name, true) $$;
       GRANT EXECUTE ON FUNCTION public.setting TO PUBLIC;
       ALTER ROLE ${login} SET pgrst.app.settings.colour = 'red';
       ALTER ROLE ${login} SET pgrst.app.settings.kept = 'yes';
       CREATE OR REPLACE FUNCTION public.config() RETURNS void LANGUAGE plpgsql AS $$
       BEGIN
         PERFORM set_config('pgrst.app.settings.colour', 'blue', true);
         PERFORM set_config('pgrst.app.settings.mail.from', 'it''s me', true);
         IF false THEN PERFORM set_config('pgrst.app.settings.never', 'x', true); END IF;
       END $$`,
    );
    await serve({
      'db-pre-config': 'public.config',
      'app.settings.colour': 'green',
      'app.settings.size': 'L',
    });
    const read = async (name: string) => (await get(`/rpc/setting?name=app.settings.${name}`)).json;
    expect([
      await read('colour'),
      await read('mail.from'),
      await read('kept'),
      await read('size'),
      await read('never'),
    ]).toEqual(['blue', "it's me", 'yes', 'L', null]);
    expect(ignored()).toEqual([]);
  });

  test.each([
    ['is missing', 'DROP FUNCTION public.config()'],
    [
      'fails',
      `CREATE OR REPLACE FUNCTION public.config() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$`,
    ],
    [
      'writes',
      `CREATE OR REPLACE FUNCTION public.config() RETURNS void LANGUAGE sql AS 'CREATE TABLE public.x (id int)'`,
    ],
  ])('that %s does not take the API down', async (_what, sql) => {
    await runSql(database.url, sql);
    await serve({ 'db-pre-config': 'public.config' });
    expect(await rows('/notes')).toBe(9);
    expect(ignored()).toHaveLength(1);
  });
});
