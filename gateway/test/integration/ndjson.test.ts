import { type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { createTestDatabase, runSql, type TestDatabase } from '../../../test/support/database.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Answer, ask } from './support/ask.ts';

const LOGIN = 'ndjson_login';
const ANON = 'ndjson_anon';
const NDJSON = 'application/x-ndjson';

let database: TestDatabase;
let gateway: TestGateway;

beforeAll(async () => {
  database = await createTestDatabase();
  await runSql(
    database.url,
    `DO $$ BEGIN CREATE ROLE ${ANON}; CREATE ROLE ${LOGIN} LOGIN NOINHERIT; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
     GRANT ${ANON} TO ${LOGIN};
     CREATE SCHEMA capped; CREATE SCHEMA handled;
     GRANT USAGE ON SCHEMA public TO ${ANON};
     CREATE TABLE directors (id int PRIMARY KEY, name text);
     CREATE TABLE films (id int PRIMARY KEY, title text, price numeric, extra json, director_id int REFERENCES directors);
     INSERT INTO directors VALUES (1, 'Ada');
     INSERT INTO films VALUES
       (1, E'line\\nbreak "é"', 12345678901234567890.10, E'{"a":\\r\\n  [1,\\n2]}', 1),
       (2, NULL, NULL, NULL, NULL), (3, 'C', 1, 'null', 1);
     CREATE TABLE log (entry text);
     CREATE TABLE parents (id int PRIMARY KEY);
     CREATE TABLE children (parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
     GRANT ALL ON ALL TABLES IN SCHEMA public TO ${ANON};
     CREATE FUNCTION numbers(n int) RETURNS SETOF int STABLE LANGUAGE sql AS $$ SELECT nullif(i, 2) FROM generate_series(1, n) i $$;
     CREATE FUNCTION jsons() RETURNS SETOF json STABLE LANGUAGE sql AS $$ VALUES (E'{"a":\\n1}'::json), ('[]') $$;
     CREATE FUNCTION films_of(director int) RETURNS SETOF films STABLE LANGUAGE sql AS $$ SELECT * FROM films WHERE director_id = director $$;
     CREATE FUNCTION pairs() RETURNS TABLE (a int, b text) STABLE LANGUAGE sql AS $$ VALUES (1, 'x'), (2, 'y') $$;
     CREATE FUNCTION single() RETURNS int STABLE LANGUAGE sql AS $$ SELECT 1 $$;
     CREATE FUNCTION write_log(n int) RETURNS SETOF text LANGUAGE sql AS
       $$ INSERT INTO log SELECT 'entry ' || i FROM generate_series(1, n) i RETURNING entry $$;
     CREATE FUNCTION orphans(n int) RETURNS SETOF int LANGUAGE sql AS
       $$ INSERT INTO children SELECT 7 FROM generate_series(1, n) RETURNING parent $$;
     CREATE FUNCTION wishes(n int) RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN
       PERFORM set_config('response.headers', '[{"X-Wish":"yes"}]', true), set_config('response.status', '203', true);
       RETURN QUERY SELECT generate_series(1, n); END $$;
     CREATE FUNCTION quiet() RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN
       PERFORM set_config('response.status', '204', true);
       RETURN QUERY INSERT INTO log VALUES ('quiet') RETURNING entry; END $$;
     CREATE FUNCTION bad_wish() RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN
       PERFORM set_config('response.status', 'none', true);
       RETURN QUERY INSERT INTO log VALUES ('bad wish') RETURNING entry; END $$;
     CREATE FUNCTION fails_at(last int) RETURNS SETOF int STABLE LANGUAGE sql AS
       $$ SELECT 100 / (fails_at.last - i) FROM generate_series(1, fails_at.last) i $$;
     -- PostgreSQL sends when 8 kB are full.
     CREATE FUNCTION slow_start() RETURNS SETOF text STABLE LANGUAGE sql AS
       $$ SELECT repeat('x', 20000) UNION ALL SELECT 'second' FROM pg_sleep(60) $$;
     CREATE FUNCTION endless() RETURNS SETOF text STABLE LANGUAGE sql AS
       $$ SELECT repeat('x', 1000) FROM generate_series(1, 300000) $$;
     CREATE FUNCTION who() RETURNS SETOF text STABLE LANGUAGE sql SET default_transaction_isolation = 'serializable' AS
       $$ VALUES (current_user::text), (current_setting('transaction_isolation')), (current_setting('transaction_read_only')) $$;
     CREATE DOMAIN handled."application/x-ndjson" AS text;
     CREATE TABLE handled.things (id int);
     INSERT INTO handled.things VALUES (1);
     CREATE FUNCTION handled.step(state handled."application/x-ndjson", t handled.things) RETURNS handled."application/x-ndjson"
       LANGUAGE sql AS $$ SELECT (state || 'mine' || t.id)::handled."application/x-ndjson" $$;
     CREATE AGGREGATE handled.things_agg (handled.things) (SFUNC = handled.step, STYPE = handled."application/x-ndjson", INITCOND = '');
     GRANT USAGE ON SCHEMA handled TO ${ANON}; GRANT ALL ON handled.things TO ${ANON};`,
  );
  gateway = await serve({ 'db-schemas': 'public,handled' });
});

afterAll(async () => {
  await gateway?.close();
  await database?.drop();
});

function serve(postgrest: Readonly<Record<string, string | number>>): Promise<TestGateway> {
  const databaseUrl = new URL(database.url);
  databaseUrl.username = LOGIN;
  return startGateway({
    databaseUrl: databaseUrl.href,
    postgrest: { 'db-anon-role': ANON, ...postgrest },
    jwtSecret: 'secret-of-the-streams-with-32-characters',
  });
}

function stream(
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'GET',
): Promise<Answer> {
  return ask(gateway, `/rest/v1${path}`, { method, headers: { accept: NDJSON, ...headers } });
}

const lastRequest = () => gateway.observations.findLast(({ kind }) => kind === 'request-finished');
const logged = async (): Promise<unknown> => (await ask(gateway, '/rest/v1/log?select=entry')).json;

async function metric(name: string): Promise<string | undefined> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  return new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1];
}

async function untilAtRest(): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    const idle = await metric('cascata_pool_idle_connections');
    if (
      (await metric('cascata_transactions_in_flight')) === '0' &&
      idle === (await metric('cascata_pool_connections'))
    )
      return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('a connection is still taken');
}

/** The head of a stream; its body is not read before it is asked for. */
async function open(path: string, { method = 'GET', body }: { method?: string; body?: string } = {}) {
  const controller = new AbortController();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(
      `${gateway.url}/rest/v1${path}`,
      { method, headers: { host: gateway.host, accept: NDJSON }, agent: false, signal: controller.signal },
      resolve,
    )
      .on('error', reject)
      .end(body);
  });
  return { response, abort: () => controller.abort() };
}

/** All of a body that came, and whether it came to its end. */
async function drain(response: IncomingMessage): Promise<{ text: string; isWhole: boolean }> {
  let text = '';
  response.setEncoding('utf8');
  try {
    for await (const chunk of response) text += chunk;
    return { text, isWhole: response.complete };
  } catch {
    return { text, isWhole: false };
  }
}

describe('rows as lines', () => {
  it('are what json_agg would write, each on one line', async () => {
    const answer = await stream('/films?order=id&select=*,directors(name)');
    expect(answer.text).toBe(
      [
        '{"id":1,"title":"line\\nbreak \\"é\\"","price":12345678901234567890.10,"extra":{"a":    [1, 2]},"director_id":1,"directors":{"name": "Ada"}}',
        '{"id":2,"title":null,"price":null,"extra":null,"director_id":null,"directors":null}',
        '{"id":3,"title":"C","price":1,"extra":null,"director_id":1,"directors":{"name": "Ada"}}',
        '',
      ].join('\n'),
    );
    const json = await ask(gateway, '/rest/v1/films?order=id&select=*,directors(name)');
    expect(
      answer.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(json.json);
    expect([answer.status, answer.headers]).toMatchObject([
      200,
      {
        'content-type': 'application/x-ndjson; charset=utf-8',
        'content-location': '/films?order=id&select=%2A%2Cdirectors%28name%29',
        'transfer-encoding': 'chunked',
      },
    ]);
    expect(answer.headers).not.toHaveProperty('content-range');
    expect(answer.headers).not.toHaveProperty('content-length');
  });

  test.each([
    ['/films?select=title&price=gt.0&order=id&limit=1&offset=1', '{"title":"C"}\n'],
    ['/films?id=eq.99', ''],
    ['/rpc/numbers?n=3', '1\nnull\n3\n'],
    ['/rpc/numbers?n=3&limit=1', '1\n'],
    ['/rpc/jsons', '{"a": 1}\n[]\n'],
    ['/rpc/pairs?a=gt.1', '{"a":2,"b":"y"}\n'],
    [
      '/rpc/films_of?director=1&select=id,directors(id)&order=id',
      '{"id":1,"directors":{"id": 1}}\n{"id":3,"directors":{"id": 1}}\n',
    ],
  ])('%s', async (path, text) => {
    const answer = await stream(path);
    expect([answer.status, answer.text]).toEqual([200, text]);
  });

  it('of a function called by POST are committed before the end', async () => {
    const answer = await ask(gateway, '/rest/v1/rpc/write_log', {
      method: 'POST',
      headers: { accept: NDJSON, 'content-type': 'application/json' },
      body: '{"n":2}',
    });
    expect(answer.text).toBe('"entry 1"\n"entry 2"\n');
    expect(await logged()).toEqual([{ entry: 'entry 1' }, { entry: 'entry 2' }]);
    await runSql(database.url, 'DELETE FROM log');
  });

  it('run as the role, read only and in the isolation asked for, like any other request', async () => {
    expect((await stream('/rpc/who')).text).toBe(`"${ANON}"\n"serializable"\n"on"\n`);
  });

  it('come by many thousands without one missing', async () => {
    const { text } = await stream('/rpc/numbers?n=200000');
    const lines = text.split('\n');
    expect([lines.length, lines[1], lines[199_999], lines[200_000]]).toEqual([200_001, 'null', '200000', '']);
    expect(lastRequest()).toMatchObject({ status: 200, rows: 200_000, errorCode: undefined });
  });
});

describe('the head', () => {
  it('has the total when it is asked for, and no range', async () => {
    for (const count of ['exact', 'planned', 'estimated']) {
      const answer = await stream('/films?id=gt.1&limit=1', { prefer: `count=${count}` });
      expect([answer.status, answer.headers['preference-applied']]).toEqual([200, `count=${count}`]);
      expect(answer.headers['content-range']).toMatch(count === 'exact' ? /^\*\/2$/ : /^\*\/\d+$/);
    }
    expect((await stream('/films?offset=50', { prefer: 'count=exact' })).headers['content-range']).toBe(
      '*/3',
    );
    expect((await stream('/rpc/numbers?n=3', { prefer: 'count=exact' })).headers).not.toHaveProperty(
      'content-range',
    );
  });

  it('is what the database wishes, with rows and without', async () => {
    for (const n of [2, 0]) {
      const answer = await ask(gateway, '/rest/v1/rpc/wishes', {
        method: 'POST',
        headers: { accept: NDJSON },
        body: `{"n":${n}}`,
      });
      expect([answer.status, answer.headers['x-wish']]).toEqual([203, 'yes']);
    }
  });

  it('may have no body, and the transaction is committed all the same', async () => {
    const answer = await ask(gateway, '/rest/v1/rpc/quiet', { method: 'POST', headers: { accept: NDJSON } });
    expect([answer.status, answer.text]).toEqual([204, '']);
    expect(await logged()).toEqual([{ entry: 'quiet' }]);
    await runSql(database.url, 'DELETE FROM log');
  });

  it('that cannot be is an error, and undoes the transaction', async () => {
    const answer = await ask(gateway, '/rest/v1/rpc/bad_wish', {
      method: 'POST',
      headers: { accept: NDJSON },
    });
    expect([answer.status, answer.json]).toMatchObject([500, { code: 'PGRST112' }]);
    await untilAtRest();
  });

  it('alone is what HEAD gives', async () => {
    const answer = await stream('/films', { prefer: 'count=exact' }, 'HEAD');
    expect([answer.status, answer.headers['content-type'], answer.headers['content-range']]).toEqual([
      200,
      'application/x-ndjson; charset=utf-8',
      '0-2/3',
    ]);
  });
});

describe('no request that PostgREST answers is answered otherwise', () => {
  it.each([`${NDJSON}, application/json`, `${NDJSON}, */*`, `${NDJSON};q=1, text/csv;q=0.1`])(
    'Accept: %s',
    async (accept) => {
      const answer = await stream('/films?select=id&id=eq.1', { accept });
      expect(answer.headers['content-type']).not.toContain('ndjson');
    },
  );

  it('a handler of the tenant’s wins', async () => {
    const answer = await stream('/things', { 'accept-profile': 'handled' });
    expect([answer.headers['content-type'], answer.text]).toEqual([NDJSON, 'mine1']);
  });

  it.each([
    ['GET', '/rpc/single', {}],
    ['GET', '/', {}],
    ['DELETE', '/log?entry=eq.x', { prefer: 'return=representation' }],
    ['GET', '/rpc/numbers?n=1', { prefer: 'handling=strict, max-affected=1' }],
  ] as const)('%s %s is 406 as before', async (method, path, headers) => {
    expect(await stream(path, headers, method)).toMatchObject({ status: 406, json: { code: 'PGRST107' } });
  });

  it('db-max-rows holds', async () => {
    const capped = await serve({ 'db-max-rows': 2 });
    try {
      const answer = await ask(capped, '/rest/v1/films?select=id&order=id', { headers: { accept: NDJSON } });
      expect(answer.text).toBe('{"id":1}\n{"id":2}\n');
    } finally {
      await capped.close();
    }
  });
});

describe('what goes wrong', () => {
  it('before the first row is an error like any other', async () => {
    expect(await stream('/nosuch')).toMatchObject({ status: 404, json: { code: 'PGRST205' } });
    expect(await stream('/rpc/fails_at?last=1')).toMatchObject({ status: 400, json: { code: '22012' } });
  });

  it('after the first row cuts the body off, and the log says why', async () => {
    const { response } = await open('/rpc/fails_at?last=50000');
    expect(response.statusCode).toBe(200);
    const { text, isWhole } = await drain(response);
    expect(isWhole).toBe(false);
    expect(text.split('\n')[0]).toBe('0');
    expect(lastRequest()).toMatchObject({ status: 200, errorCode: '22012' });
    await untilAtRest();
  });

  it('at the commit does so too', async () => {
    const { response } = await open('/rpc/orphans', { method: 'POST', body: '{"n":100000}' });
    expect((await drain(response)).isWhole).toBe(false);
    expect(lastRequest()).toMatchObject({ status: 200, errorCode: '23503' });
  });

  it('at the commit of so few rows that none was sent is an error like any other', async () => {
    const answer = await ask(gateway, '/rest/v1/rpc/orphans', {
      method: 'POST',
      headers: { accept: NDJSON },
      body: '{"n":3}',
    });
    expect([answer.status, answer.json]).toMatchObject([409, { code: '23503' }]);
  });

  it('a client that goes away has its query cancelled and its connection given back', async () => {
    const { response, abort } = await open('/rpc/slow_start');
    expect(response.statusCode).toBe(200);
    response.on('error', () => {});
    abort();
    await untilAtRest();
    expect(lastRequest()).toMatchObject({ status: 200, errorCode: 'GW902' });
    expect((await stream('/films?id=eq.1&select=id')).text).toBe('{"id":1}\n');
  });

  it('a client that goes away while it holds the server up, too', async () => {
    const { response, abort } = await open('/rpc/endless');
    response.on('error', () => {});
    response.pause();
    await new Promise((resolve) => setTimeout(resolve, 300));
    abort();
    await untilAtRest();
    expect(lastRequest()).toMatchObject({ errorCode: 'GW902' });
  });

  it('streams take no more than half of the connections', async () => {
    const opened = [await open('/rpc/endless'), await open('/rpc/endless')];
    expect(await stream('/films')).toMatchObject({ status: 429, json: { code: 'GW301' } });
    expect(await ask(gateway, '/rest/v1/films?id=eq.1&select=id')).toMatchObject({ status: 200 });
    for (const { response, abort } of opened) {
      response.on('error', () => {});
      abort();
    }
    await untilAtRest();
    expect(await stream('/films?id=eq.1&select=id')).toMatchObject({ status: 200 });
  });
});
