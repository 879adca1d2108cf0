import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, runSql, type TestDatabase } from '../../../test/support/database.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Answer, ask, type Question } from './support/ask.ts';

let database: TestDatabase;
let gateway: TestGateway;

beforeAll(async () => {
  database = await createTestDatabase({
    sql: `
      CREATE TABLE films (id int PRIMARY KEY, title text NOT NULL);
      INSERT INTO films VALUES (1, 'Metropolis'), (2, 'Nosferatu'), (3, 'Pandora');
      CREATE SCHEMA archive;
      CREATE TABLE archive.films (id int PRIMARY KEY, title text NOT NULL);
      INSERT INTO archive.films TABLE films;
      CREATE FUNCTION title(id int) RETURNS text STABLE LANGUAGE sql AS
        $$ SELECT f.title FROM films f WHERE f.id = title.id $$;
      CREATE FUNCTION nothing() RETURNS void STABLE LANGUAGE sql AS $$ SELECT $$;
      CREATE FUNCTION tagged() RETURNS text STABLE LANGUAGE sql AS
        $$ SELECT set_config('response.headers', '[{"ETag":"\\"mine\\""},{"Cache-Control":"max-age=60"}]', true) $$;
      CREATE FUNCTION cached() RETURNS text STABLE LANGUAGE sql AS
        $$ SELECT set_config('response.headers', '[{"Cache-Control":"max-age=60"}]', true) $$;
      CREATE FUNCTION teapot() RETURNS text STABLE LANGUAGE sql AS
        $$ SELECT set_config('response.status', '418', true) $$;
    `,
  });
  gateway = await startGateway({
    databaseUrl: database.url,
    postgrest: {
      'db-anon-role': 'postgres',
      'db-schemas': 'public,archive',
      'cascata-etag-enabled': true,
      'db-plan-enabled': true,
    },
    jwtSecret: 'secret-of-etags-with-32-characters-or-more',
  });
});

afterAll(async () => {
  await gateway?.close();
  await database?.drop();
});

const get = (path: string, question: Question = {}): Promise<Answer> =>
  ask(gateway, `/rest/v1${path}`, question);

async function tagOf(path: string, question: Question = {}): Promise<string> {
  const { headers } = await get(path, question);
  expect(headers.etag).toMatch(/^W\/"[\w-]{22}"$/);
  return headers.etag as string;
}

const FILM = '/films?id=eq.1';

test.each([
  ['rows', '/films?order=id', {}],
  ['one object', FILM, { accept: 'application/vnd.pgrst.object+json' }],
  ['CSV', '/films?order=id', { accept: 'text/csv' }],
  ['a page of a counted whole', '/films?order=id&limit=2', { prefer: 'count=exact' }],
  ['a call by GET', '/rpc/title?id=1', {}],
  ['the root document', '/', {}],
])('%s come with a tag, and again only when they changed', async (_what, path, headers) => {
  const etag = await tagOf(path, { headers });
  for (const method of ['GET', 'HEAD']) {
    const same = await get(path, { method, headers: { ...headers, 'if-none-match': `"other", ${etag}` } });
    expect([same.status, same.text, same.headers.etag]).toEqual([304, '', etag]);
    const other = await get(path, { method, headers: { ...headers, 'if-none-match': '"other"' } });
    expect([other.headers.etag, other.text === '']).toEqual([etag, method === 'HEAD']);
    expect([200, 206]).toContain(other.status);
  }
});

test('a 304 says what a cache has to know, and nothing of a body it does not have', async () => {
  const headers = { origin: 'https://app.example.com', prefer: 'count=exact' };
  const etag = await tagOf(FILM, { headers });
  const { status, headers: given } = await get(FILM, { headers: { ...headers, 'if-none-match': etag } });
  expect(status).toBe(304);
  expect(given).toMatchObject({
    etag,
    vary: 'Accept, Prefer, Range',
    'content-location': '/films?id=eq.1',
    'preference-applied': 'count=exact',
    'access-control-allow-origin': '*',
    'access-control-expose-headers': expect.stringContaining(', ETag'),
  });
  for (const name of ['content-type', 'content-range', 'content-profile', 'content-length']) {
    expect(given).not.toHaveProperty(name);
  }
  expect(given).toHaveProperty('date');
});

test('If-None-Match: * is told of nothing that is there', async () => {
  expect((await get(FILM, { headers: { 'if-none-match': '*' } })).status).toBe(304);
});

test('a change of the rows is a change of the tag, and changing back brings the old one', async () => {
  const before = await tagOf(FILM);
  await runSql(database.url, `UPDATE films SET title = 'M' WHERE id = 1`);
  const changed = await get(FILM, { headers: { 'if-none-match': before } });
  expect([changed.status, changed.json]).toEqual([200, [{ id: 1, title: 'M' }]]);
  expect(changed.headers.etag).not.toBe(before);
  await runSql(database.url, `UPDATE films SET title = 'Metropolis' WHERE id = 1`);
  expect(await tagOf(FILM)).toBe(before);
});

test('the media type, the range, the total and the schema each make another tag', async () => {
  const tags = await Promise.all([
    tagOf(FILM),
    tagOf(FILM, { headers: { accept: 'application/vnd.pgrst.array+json;nulls=stripped' } }),
    tagOf(FILM, { headers: { prefer: 'count=exact' } }),
    tagOf(FILM, { headers: { 'accept-profile': 'archive' } }),
  ]);
  expect(new Set(tags).size).toBe(4);
});

test('a HEAD that does not ask makes PostgreSQL write no body, and so has no tag', async () => {
  const { status, headers } = await get('/films', { method: 'HEAD' });
  expect([status, headers.etag]).toEqual([200, undefined]);
});

describe('no tag, whatever is asked', () => {
  test.each([
    ['an error', '/films?id=eq.x', {}, 400],
    ['a page past the end', '/films?offset=9', { headers: { prefer: 'count=exact' } }, 416],
    ['a function without a result', '/rpc/nothing', {}, 204],
    ['a status chosen by the database', '/rpc/teapot', {}, 418],
    ['a query plan', '/films', { headers: { accept: 'application/vnd.pgrst.plan+json' } }, 200],
    [
      'a write',
      FILM,
      { method: 'PATCH', body: '{"id":1}', headers: { prefer: 'return=representation' } },
      200,
    ],
    ['a call by POST', '/rpc/title', { method: 'POST', body: '{"id":1}' }, 200],
    ['OPTIONS', '/films', { method: 'OPTIONS' }, 200],
  ] as [string, string, Question, number][])('for %s', async (_what, path, question, status) => {
    const headers = { 'content-type': 'application/json', ...question.headers, 'if-none-match': '*' };
    const answer = await get(path, { ...question, headers });
    expect([answer.status, answer.headers.etag]).toEqual([status, undefined]);
  });
});

test('an ETag of a function stays its own, and its other headers are in the 304', async () => {
  const own = await get('/rpc/tagged', { headers: { 'if-none-match': '"mine"' } });
  expect([own.status, own.headers.etag]).toEqual([200, '"mine"']);
  const etag = await tagOf('/rpc/cached');
  const same = await get('/rpc/cached', { headers: { 'if-none-match': etag } });
  expect([same.status, same.headers['cache-control']]).toEqual([304, 'max-age=60']);
});

test('one connection goes on after a 304', async () => {
  const etag = await tagOf(FILM);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const statuses: number[] = [];
  const sockets = new Set<unknown>();
  for (const tag of [etag, '"other"', etag]) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const headers = { host: gateway.host, 'if-none-match': tag };
    request(`${gateway.url}/rest/v1${FILM}`, { agent, headers }, (response) => {
      statuses.push(response.statusCode ?? 0);
      sockets.add(response.socket);
      response.resume().on('end', resolve);
    })
      .on('error', reject)
      .end();
    await promise;
  }
  agent.destroy();
  expect([statuses, sockets.size]).toEqual([[304, 200, 304], 1]);
});
