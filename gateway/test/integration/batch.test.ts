import { PostgrestClient } from '@supabase/postgrest-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, runSql, type TestDatabase } from '../../../test/support/database.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Answer, ask } from './support/ask.ts';

const LOGIN = 'batch_login';
const [ANON, OTHER] = ['batch_anon', 'batch_other'];

let database: TestDatabase;
let gateway: TestGateway;

beforeAll(async () => {
  database = await createTestDatabase();
  await runSql(
    database.url,
    `DO $$ BEGIN
       CREATE ROLE ${ANON}; CREATE ROLE ${OTHER}; CREATE ROLE ${LOGIN} LOGIN NOINHERIT;
     EXCEPTION WHEN duplicate_object THEN NULL; END $$;
     GRANT ${ANON}, ${OTHER} TO ${LOGIN};
     ALTER ROLE ${ANON} SET timezone = 'Asia/Tokyo';
     CREATE SCHEMA api;
     GRANT USAGE ON SCHEMA public, api TO ${ANON};
     CREATE TABLE films (id int PRIMARY KEY, title text, price numeric);
     CREATE TABLE cast_members (
       film_id int REFERENCES films DEFERRABLE INITIALLY DEFERRED, name text
     );
     CREATE TABLE api.films (id int);
     CREATE TABLE log (entry text);
     CREATE TABLE "café" (id int);
     INSERT INTO api.films VALUES (77);
     GRANT ALL ON ALL TABLES IN SCHEMA public, api TO ${ANON};
     CREATE FUNCTION seen() RETURNS json STABLE LANGUAGE sql AS $$
       SELECT json_build_object(
         'method', current_setting('request.method'), 'path', current_setting('request.path'),
         'accept', current_setting('request.headers')::json->>'accept',
         'trace', current_setting('request.headers')::json->>'x-trace',
         'timezone', current_setting('timezone'), 'timeout', current_setting('statement_timeout'),
         'role', current_user, 'search_path', current_setting('search_path'))
     $$;
     CREATE FUNCTION seen_strictly() RETURNS json STABLE LANGUAGE sql SET statement_timeout = '1s' AS $$ SELECT seen() $$;
     CREATE FUNCTION isolation() RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting('transaction_isolation') $$;
     CREATE FUNCTION serially() RETURNS text STABLE LANGUAGE sql SET default_transaction_isolation = 'serializable'
       AS $$ SELECT current_setting('transaction_isolation') $$;
     CREATE FUNCTION access() RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting('transaction_read_only') $$;
     CREATE FUNCTION become_other() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET LOCAL ROLE ${OTHER}; END $$;
     CREATE FUNCTION shout() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
       PERFORM set_config('response.headers', '[{"X-Shout":"yes"},{"Set-Cookie":"a=1"},{"Set-Cookie":"b=2"}]', true);
       PERFORM set_config('response.status', '202', true);
     END $$;
     CREATE FUNCTION bad_wish() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
       PERFORM set_config('response.status', 'none', true);
     END $$;
     CREATE FUNCTION guard() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
       IF current_setting('request.path') = '/log' AND current_setting('request.method') = 'DELETE' THEN
         RAISE SQLSTATE 'PT403' USING MESSAGE = 'the log stays';
       END IF;
     END $$;
     CREATE DOMAIN "text/html" AS text;
     CREATE FUNCTION page() RETURNS "text/html" STABLE LANGUAGE sql AS $$ SELECT '<p>"hi"</p>'::"text/html" $$;
     CREATE DOMAIN "application/vnd.odd+json" AS text;
     CREATE FUNCTION odd() RETURNS "application/vnd.odd+json" STABLE LANGUAGE sql AS $$ SELECT '{no json'::"application/vnd.odd+json" $$;
     CREATE DOMAIN "application/octet-stream" AS bytea;
     CREATE FUNCTION bytes(bytea) RETURNS "application/octet-stream" STABLE LANGUAGE sql AS $$ SELECT $1::"application/octet-stream" $$;`,
  );
  const databaseUrl = new URL(database.url);
  databaseUrl.username = LOGIN;
  gateway = await startGateway({
    databaseUrl: databaseUrl.href,
    postgrest: {
      'db-schemas': 'public,api',
      'db-anon-role': ANON,
      'db-tx-end': 'commit-allow-override',
      'db-pre-request': 'public.guard',
      'cascata-batch-max-requests': 20,
    },
    jwtSecret: 'secret-of-the-batches-with-32-characters',
  });
});

afterAll(async () => {
  await gateway?.close();
  await database?.drop();
});

interface Part {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly encoding?: string;
}

function batch(
  parts: readonly Part[] | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const body = typeof parts === 'string' ? parts : JSON.stringify(parts);
  return ask(gateway, '/rest/v1/-/batch', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
}

async function bodies(parts: readonly Part[]): Promise<readonly unknown[]> {
  const answer = await batch(parts);
  expect([answer.status, answer.text]).toEqual([200, expect.anything()]);
  return (answer.json as { body: unknown }[]).map(({ body }) => body);
}

const films = async (): Promise<unknown> => (await ask(gateway, '/rest/v1/films?order=id')).json;
const ID = (id: number): Part => ({ method: 'POST', path: '/films', body: { id, title: `film ${id}` } });
const GET = (path: string, headers: Readonly<Record<string, string>> = {}): Part => ({
  method: 'GET',
  path,
  headers,
});

describe('a batch that succeeds', () => {
  it('answers each request as it would be alone, in order, each seeing what came before', async () => {
    const one = { prefer: 'return=representation', accept: 'application/vnd.pgrst.object+json' };
    const answer = await batch([
      {
        method: 'POST',
        path: '/films',
        headers: { prefer: 'return=headers-only' },
        body: { id: 1, title: 'A' },
      },
      { method: 'PATCH', path: '/films?id=eq.1', headers: one, body: { price: 2 } },
      GET('/films?select=id,title', { prefer: 'count=exact' }),
      { method: 'HEAD', path: '/films' },
      { method: 'DELETE', path: '/films?id=eq.1' },
      GET('/films?id=eq.1'),
    ]);
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json; charset=utf-8']);
    expect(Number(answer.headers['content-length'])).toBe(answer.bytes.length);
    expect(answer.json).toMatchObject([
      { status: 201, headers: { location: '/films?id=eq.1' }, body: null },
      {
        status: 200,
        headers: { 'content-type': 'application/vnd.pgrst.object+json; charset=utf-8' },
        body: { id: 1, title: 'A', price: 2 },
      },
      {
        status: 200,
        headers: { 'content-range': '0-0/1', 'preference-applied': 'count=exact' },
        body: [{ id: 1, title: 'A' }],
      },
      { status: 200, headers: { 'content-range': '0-0/*' }, body: null },
      { status: 204, body: null },
      { status: 200, headers: { 'content-range': '*/*' }, body: [] },
    ]);
    expect(await films()).toEqual([]);
  });

  it('passes bodies on byte for byte, both ways', async () => {
    const sent =
      '[{"method":"POST","path":"/films","headers":{"prefer":"return=representation"},"body":{"id":1,"price":12345678901234567890.10}}]';
    const answer = await batch(sent, { prefer: 'tx=rollback' });
    expect(answer.text).toContain('"body":[{"id":1,"title":null,"price":12345678901234567890.10}]}]');
    expect(answer.headers['preference-applied']).toBe('tx=rollback');
    expect(await films()).toEqual([]);
  });

  it('gives bodies of other media types as texts, bytes in base64', async () => {
    const answer = await batch([
      GET('/rpc/page', { accept: 'text/html' }),
      GET('/rpc/odd', { accept: 'application/vnd.odd+json' }),
      {
        method: 'POST',
        path: '/rpc/bytes',
        headers: { accept: 'application/octet-stream', 'content-type': 'application/octet-stream' },
        body: '/wAB',
        encoding: 'base64',
      },
    ]);
    expect(answer.json).toMatchObject([
      { headers: { 'content-type': 'text/html' }, body: '<p>"hi"</p>' },
      { headers: { 'content-type': 'application/vnd.odd+json' }, body: '{no json' },
      { encoding: 'base64', body: '/wAB' },
    ]);
  });

  it('shows headers beyond ASCII as the text they are', async () => {
    const answer = await batch([GET('/caf%C3%A9')]);
    expect(answer.json).toMatchObject([{ headers: { 'content-location': '/café' } }]);
  });

  it('takes CSV and forms', async () => {
    const answer = await batch(
      [
        {
          method: 'POST',
          path: '/films',
          headers: { 'content-type': 'text/csv' },
          body: 'id,title\n1,"A, B"\n',
        },
        GET('/films?select=title', { accept: 'text/csv' }),
      ],
      { prefer: 'tx=rollback' },
    );
    expect(answer.json).toMatchObject([{ status: 201 }, { body: 'title\n"A, B"' }]);
  });

  it('works by the client library of Supabase', async () => {
    const toHost: typeof fetch = async (input, init) => {
      const { method = 'GET', body } = init ?? {};
      const { pathname, search } = new URL(String(input));
      const answer = await ask(gateway, pathname + search, {
        method,
        headers: Object.fromEntries(new Headers(init?.headers)),
        body: String(body),
      });
      return new Response(answer.text, { status: answer.status });
    };
    const client = new PostgrestClient(`${gateway.url}/rest/v1`, { fetch: toHost });
    const { data, error } = await client
      .from('-/batch')
      .insert([GET('/films'), GET('/log')])
      .select();
    expect(error).toBeNull();
    expect(data).toMatchObject([
      { status: 200, body: [] },
      { status: 200, body: [] },
    ]);
  });
});

describe('between two requests', () => {
  it('what describes a request is set anew', async () => {
    const seen = await bodies([
      GET('/rpc/seen_strictly', {
        accept: 'application/json',
        prefer: 'timezone=America/Lima',
        'accept-profile': 'public',
      }),
      { method: 'POST', path: '/rpc/seen' },
      GET('/rpc/seen', { prefer: 'timezone=UTC' }),
    ]);
    const role = ANON;
    expect(seen).toEqual([
      {
        method: 'GET',
        path: '/rpc/seen_strictly',
        accept: 'application/json',
        trace: null,
        timezone: 'America/Lima',
        timeout: '1s',
        role,
        search_path: '"public"',
      },
      {
        method: 'POST',
        path: '/rpc/seen',
        accept: null,
        trace: null,
        timezone: 'Asia/Tokyo',
        timeout: '15s',
        role,
        search_path: '"public"',
      },
      {
        method: 'GET',
        path: '/rpc/seen',
        accept: null,
        trace: null,
        timezone: 'UTC',
        timeout: '15s',
        role,
        search_path: '"public"',
      },
    ]);
  });

  it('the schema may change', async () => {
    expect(await bodies([GET('/films'), GET('/films', { 'accept-profile': 'api' }), GET('/films')])).toEqual([
      [],
      [{ id: 77 }],
      [],
    ]);
  });

  it('a role that a function left behind is the request’s again', async () => {
    const [, seen] = await bodies([{ method: 'POST', path: '/rpc/become_other' }, GET('/rpc/seen')]);
    expect(seen).toMatchObject({ role: ANON });
  });

  it('what a function wished for its response is not the next one’s', async () => {
    const answer = await batch([{ method: 'POST', path: '/rpc/shout' }, GET('/films')]);
    expect(answer.json).toMatchObject([
      { status: 202, headers: { 'x-shout': 'yes', 'set-cookie': ['a=1', 'b=2'] }, body: null },
      { status: 200, body: [] },
    ]);
    expect(JSON.stringify((answer.json as unknown[])[1])).not.toContain('x-shout');
  });
});

describe('the transaction', () => {
  it('writes if any request does, and has the strictest isolation that one asks for', async () => {
    expect(await bodies([GET('/rpc/access'), GET('/rpc/isolation')])).toEqual(['on', 'read committed']);
    expect(await bodies([GET('/rpc/access'), GET('/rpc/isolation'), GET('/rpc/serially')])).toEqual([
      'on',
      'serializable',
      'serializable',
    ]);
    expect(await bodies([GET('/rpc/access'), { method: 'DELETE', path: '/films' }])).toEqual(['off', null]);
  });

  it('does not let a GET write among writes', async () => {
    const answer = await batch([{ method: 'DELETE', path: '/films' }, GET('/rpc/shout')]);
    expect([answer.status, answer.json]).toEqual([
      400,
      {
        code: 'GW311',
        details: 'The function shout is volatile: in a batch that writes it can only be called by POST',
        hint: null,
        index: 1,
        message: 'A request of the batch asks for what a batch cannot do',
      },
    ]);
    expect((await batch([GET('/films'), GET('/rpc/shout')])).status).toBe(200);
  });
});

describe('a batch of which one request fails', () => {
  const failing: readonly (readonly [string, Part, number, object])[] = [
    ['a violated constraint', ID(1), 409, { code: '23505' }],
    ['no such table', GET('/nosuch'), 404, { code: 'PGRST205' }],
    [
      'not exactly one row',
      GET('/films?id=gt.5', { accept: 'application/vnd.pgrst.object+json' }),
      406,
      { code: 'PGRST116', details: 'The result contains 0 rows' },
    ],
    [
      'too many rows changed',
      { method: 'DELETE', path: '/films', headers: { prefer: 'handling=strict, max-affected=1' } },
      400,
      { code: 'PGRST124' },
    ],
    [
      'a refusal of the pre-request function',
      { method: 'DELETE', path: '/log' },
      403,
      { message: 'the log stays' },
    ],
    [
      'no such schema',
      { method: 'GET', path: '/films?select=*', headers: { 'accept-profile': 'nosuch' } },
      406,
      { code: 'PGRST106' },
    ],
    ['a nested batch', { method: 'POST', path: '/-/batch', body: [] }, 400, { code: 'GW311' }],
  ];
  it.each(failing)('changes nothing and says which: %s', async (_name, part, status, error) => {
    const answer = await batch([ID(1), ID(2), part, ID(3)]);
    expect([answer.status, answer.json]).toMatchObject([status, { ...error, index: 2 }]);
    expect(Object.keys(answer.json as object)).toEqual(['code', 'details', 'hint', 'index', 'message']);
    expect(await films()).toEqual([]);
  });

  it('has no index when only the commit failed', async () => {
    const answer = await batch([
      ID(1),
      { method: 'POST', path: '/cast_members', body: { film_id: 5 } },
      GET('/films'),
    ]);
    expect([answer.status, answer.json]).toMatchObject([409, { code: '23503', index: null }]);
    expect(await films()).toEqual([]);
  });

  it('is not undone by a response that cannot be: that request alone is told of it', async () => {
    const answer = await batch([
      ID(1),
      { method: 'POST', path: '/rpc/bad_wish' },
      { method: 'DELETE', path: '/films' },
    ]);
    expect([answer.status, answer.json]).toMatchObject([
      200,
      [{ status: 201 }, { status: 500, body: { code: 'PGRST112' } }, { status: 204 }],
    ]);
  });
});

describe('the endpoint', () => {
  it('is one request in the log', async () => {
    const before = gateway.observations.length;
    await batch([ID(1), GET('/films'), { method: 'DELETE', path: '/films' }]);
    const finished = gateway.observations.slice(before).filter(({ kind }) => kind === 'request-finished');
    expect(finished).toMatchObject([{ route: '/rest/v1/-/batch', method: 'POST', status: 200 }]);
  });

  it('refuses more requests than the setting allows, other methods, and what is no batch', async () => {
    expect(await batch(Array(21).fill(GET('/films')))).toMatchObject({
      status: 413,
      json: { code: 'GW312' },
    });
    expect(await ask(gateway, '/rest/v1/-/batch')).toMatchObject({ status: 405, json: { code: 'PGRST117' } });
    expect(await batch('nonsense')).toMatchObject({ status: 400, json: { code: 'GW310' } });
    expect(await batch([GET('/films')], { prefer: 'handling=strict, return=minimal, nosuch' })).toMatchObject(
      { status: 400, json: { code: 'PGRST122' } },
    );
    expect(await batch([GET('/films')])).toMatchObject({ status: 200 });
  });
});

it('without the setting there is no such endpoint, as in PostgREST', async () => {
  const plain = await startGateway({
    databaseUrl: database.url,
    postgrest: { 'db-anon-role': 'postgres' },
    jwtSecret: 'secret-of-the-batches-with-32-characters',
  });
  try {
    expect(await ask(plain, '/rest/v1/-/batch', { method: 'POST', body: '[]' })).toMatchObject({
      status: 404,
      json: { code: 'PGRST125' },
    });
  } finally {
    await plain.close();
  }
});
