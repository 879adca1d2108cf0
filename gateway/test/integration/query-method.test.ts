import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Answer, ask, type Question } from './support/ask.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

const SQL = `
  CREATE TABLE films (id int PRIMARY KEY, title text NOT NULL);
  INSERT INTO films SELECT n, 'Film ' || n FROM generate_series(1, 5000) n;
  CREATE SCHEMA archive;
  CREATE TABLE archive.films (id int PRIMARY KEY);
  CREATE FUNCTION seen() RETURNS json STABLE LANGUAGE sql AS $$
    SELECT json_build_object(
      'method', current_setting('request.method'),
      'path', current_setting('request.path'),
      'type', current_setting('request.headers')::json->>'content-type',
      'read_only', current_setting('transaction_read_only')) $$;
  CREATE FUNCTION add(a int, b int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT a + b $$;
  CREATE FUNCTION writes() RETURNS void VOLATILE LANGUAGE sql AS $$ INSERT INTO films VALUES (-1, '') $$;
  CREATE FUNCTION longest_kept() RETURNS int STABLE LANGUAGE sql AS
    $$ SELECT max(length(statement)) FROM pg_prepared_statements $$;
`;

let database: TestDatabase;
let gateway: TestGateway;
/** Without the settings. */
let plain: TestGateway;

beforeAll(async () => {
  database = await createTestDatabase({ sql: SQL });
  const postgrest = { 'db-anon-role': 'postgres', 'db-schemas': 'public,archive' };
  const jwtSecret = 'secret-of-queries-with-32-characters-or-more';
  plain = await startGateway({ databaseUrl: database.url, postgrest, jwtSecret });
  const settings = {
    'cascata-query-method-enabled': true,
    'cascata-method-override-enabled': true,
    'cascata-etag-enabled': true,
  };
  gateway = await startGateway({
    databaseUrl: database.url,
    postgrest: { ...postgrest, ...settings },
    jwtSecret,
  });
});

afterAll(async () => {
  await gateway?.close();
  await plain?.close();
  await database?.drop();
});

const send = (path: string, question: Question): Promise<Answer> => ask(gateway, `/rest/v1${path}`, question);

/** The two ways to send a query in a body. */
const WAYS: readonly (readonly [string, Question])[] = [
  ['QUERY', { method: 'QUERY', headers: FORM }],
  ['POST made a GET', { method: 'POST', headers: { ...FORM, 'x-http-method-override': 'GET' } }],
];

describe.each(WAYS)('%s', (_way, question) => {
  const query = (path: string, body: string, headers: Record<string, string> = {}) =>
    send(path, { ...question, headers: { ...question.headers, ...headers }, body });

  test('answers as the GET with both queries, the URL’s first', async () => {
    const {
      date: _then,
      'x-request-id': _id,
      ...expected
    } = (await send('/films?select=title&id=in.(3,1)&order=id', {})).headers;
    const answer = await query('/films?select=title', 'id=in.(3,1)&order=id&select=id');
    const { 'content-location': location } = answer.headers;
    expect([answer.status, answer.text]).toEqual([200, '[{"title":"Film 1"}, \n {"title":"Film 3"}]']);
    expect(answer.headers).toMatchObject({ ...expected, 'content-location': location });
    expect(location).toBe('/films?id=in.%283%2C1%29&order=id&select=title,id');
  });

  test('takes a list that no URL could hold, and keeps it out of the headers', async () => {
    const ids = Array.from({ length: 10_000 }, (_, n) => n);
    const { status, headers, json } = await query('/films?select=id', `id=in.(${ids})`, {
      prefer: 'count=exact',
    });
    expect([status, headers['content-range'], (json as unknown[]).length]).toEqual([
      200,
      '0-4999/5000',
      5000,
    ]);
    expect(headers).not.toHaveProperty('content-location');
  });

  test('calls a function with GET’s meaning', async () => {
    expect((await query('/rpc/add?a=1', 'b=2')).text).toBe('3');
    expect((await query('/rpc/writes', '')).json).toMatchObject({ code: '25006' });
  });

  test('is a GET to SQL, read only, with its headers as they were sent', async () => {
    expect((await query('/rpc/seen', '')).json).toEqual({
      method: 'GET',
      path: '/rpc/seen',
      type: FORM['content-type'],
      read_only: 'on',
    });
  });

  test('needs no body', async () => {
    const answer = await send('/films?id=eq.1', { ...question, headers: omitType(question) });
    expect([answer.status, answer.json]).toEqual([200, [{ id: 1, title: 'Film 1' }]]);
  });

  test('chooses its schema, its range and its tag as a GET does', async () => {
    expect((await query('/films', '', { 'accept-profile': 'archive' })).text).toBe('[]');
    const page = await query('/films?order=id', 'select=id', { range: '1-2' });
    expect([page.text, page.headers['content-range']]).toEqual(['[{"id":2}, \n {"id":3}]', '1-2/*']);
    const etag = page.headers.etag as string;
    const again = await query('/films?order=id', 'select=id', { range: '1-2', 'if-none-match': etag });
    expect([again.status, again.text]).toEqual([304, '']);
  });

  test.each(['application/json', 'text/plain', 'multipart/form-data'])('refuses %s', async (type) => {
    const { status, headers, json } = await query('/films', 'id=eq.1', { 'content-type': type });
    expect([status, headers['accept-query'], json]).toEqual([
      415,
      FORM['content-type'],
      {
        code: 'GW601',
        details: `The Content-Type is ${type}`,
        hint: 'Send the query string as the body, with Content-Type: application/x-www-form-urlencoded',
        message: 'The query in the body is not of a type that can be read',
      },
    ]);
    expect((await query('/films?select=id', 'id=eq.1')).text).toBe('[{"id":1}]');
  });

  test('refuses a query beyond its limit, and one of more values than a statement takes', async () => {
    const long = await query('/films', `id=in.(${'1,'.repeat(70_000)}1)`);
    expect([long.status, long.json]).toMatchObject([413, { code: 'GW302' }]);
    const path = '->a'.repeat(40_000);
    const many = await query('/films', `title${path}=eq.1`, { prefer: 'count=exact' });
    expect([many.status, many.json]).toMatchObject([413, { code: 'GW302' }]);
    expect((await query('/films?select=id', 'id=eq.1')).text).toBe('[{"id":1}]');
  });

  test('keeps no long statement prepared', async () => {
    const body = Array.from({ length: 5_000 }, (_, n) => `id=neq.${-n}`).join('&');
    for (let turn = 0; turn < 3; turn++) {
      expect((await query('/films?select=id&limit=1&order=id', body)).text).toBe('[{"id":1}]');
    }
    const kept = Number((await send('/rpc/longest_kept', {})).text);
    expect([kept > 0, kept < 65_536]).toEqual([true, true]);
  });
});

function omitType({ headers }: Question): Record<string, string> {
  const { 'content-type': _type, ...others } = headers ?? {};
  return others;
}

test('browsers may send QUERY where the project takes it, and OPTIONS tells of it', async () => {
  const preflight = (at: TestGateway) =>
    ask(at, '/rest/v1/films', {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example.com', 'access-control-request-method': 'QUERY' },
    });
  // A gateway knows a project's own settings from the first request on.
  await send('/films?limit=0', {});
  expect((await preflight(gateway)).headers['access-control-allow-methods']).toContain(', QUERY');
  expect((await preflight(plain)).headers['access-control-allow-methods']).not.toContain('QUERY');
  const options = async (at: TestGateway, path: string) => {
    const { headers } = await ask(at, `/rest/v1${path}`, { method: 'OPTIONS' });
    return [headers.allow, headers['accept-query']];
  };
  expect(await options(gateway, '/films')).toEqual([
    'OPTIONS,GET,HEAD,QUERY,POST,PUT,PATCH,DELETE',
    FORM['content-type'],
  ]);
  expect(await options(gateway, '/rpc/writes')).toEqual(['OPTIONS,POST', undefined]);
  expect(await options(plain, '/films')).toEqual(['OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE', undefined]);
});

test('another override is refused instead of being taken for an insert', async () => {
  const headers = { ...FORM, 'x-http-method-override': 'DELETE' };
  const { status, json } = await send('/films', { method: 'POST', headers, body: 'id=eq.1' });
  expect([status, json]).toMatchObject([400, { code: 'GW602', message: 'A POST cannot be made a DELETE' }]);
});

test('a POST without the header is the insert it was', async () => {
  const inserted = await send('/films', { method: 'POST', headers: FORM, body: 'id=6000&title=eq.x' });
  expect(inserted.status).toBe(201);
  expect((await send('/films?id=eq.6000', {})).json).toEqual([{ id: 6000, title: 'eq.x' }]);
  expect((await send('/films?id=eq.6000', { method: 'DELETE' })).status).toBe(204);
});

test('without the settings both are what PostgREST makes of them', async () => {
  const query = await ask(plain, '/rest/v1/films', { method: 'QUERY', headers: FORM, body: 'id=eq.1' });
  expect([query.status, query.json]).toMatchObject([
    405,
    { code: 'PGRST117', message: 'Unsupported HTTP method: QUERY' },
  ]);
  const headers = { ...FORM, 'x-http-method-override': 'GET' };
  const post = await ask(plain, '/rest/v1/films', { method: 'POST', headers, body: 'select=id' });
  expect([post.status, post.json]).toMatchObject([400, { code: 'PGRST204' }]);
});
