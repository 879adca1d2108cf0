import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, runSql, type TestDatabase } from '../../../test/support/database.ts';
import { cursorToken } from '../../api-request/keyset.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Answer, ask, type Question } from './support/ask.ts';

const SQL = `
  CREATE TABLE makers (id int PRIMARY KEY, name text NOT NULL);
  INSERT INTO makers SELECT n, 'Maker ' || n % 3 FROM generate_series(1, 5) n;
  CREATE TYPE size AS ENUM ('small', 'large');
  CREATE TABLE things (
    id bigint PRIMARY KEY,
    maker_id int REFERENCES makers,
    made timestamptz NOT NULL,
    price numeric,
    rank int,
    score float8,
    size size,
    title text COLLATE "C",
    info jsonb,
    cursor text
  );
  INSERT INTO things
  SELECT n, CASE WHEN n % 7 > 1 THEN n % 5 + 1 END, '2026-01-01Z'::timestamptz + (n % 6) * interval '1 day 3.000001 s', nullif(n % 4, 0) / 3.0,
    nullif(n % 3, 1), nullif(n % 5, 2) / 7.0, (ARRAY['small', 'large', NULL])[n % 3 + 1]::size, nullif('t' || n % 8, 't0'),
    json_build_object('a', n % 4, 'b', json_build_array(n)), 'after.' || n
  FROM generate_series(1, 60) n;
  CREATE TABLE parts (thing_id bigint REFERENCES things, no int, PRIMARY KEY (thing_id, no));
  INSERT INTO parts SELECT n, m FROM generate_series(1, 60) n, generate_series(1, 2) m;
  CREATE VIEW thing_view AS SELECT id, rank, title FROM things;
  CREATE TABLE keyless (a int);
  CREATE TABLE long_titles (id int PRIMARY KEY, title text NOT NULL);
  INSERT INTO long_titles VALUES (1, repeat('x', 9000)), (2, repeat('y', 9000));
  CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz NOT NULL, kind text NOT NULL, note text);
  INSERT INTO events SELECT n, '2026-01-01Z'::timestamptz + (n / 3) * interval '1 s', 'k' || n % 2, nullif(n % 9, 0) FROM generate_series(1, 20000) n;
  CREATE INDEX ON events (at, id);
  CREATE INDEX ON events (kind, at DESC, id);
  CREATE INDEX ON events (note, id);
  ANALYZE events;
  CREATE VIEW event_view AS SELECT id, at FROM events;
  CREATE FUNCTION label(things) RETURNS text STABLE LANGUAGE sql AS $$ SELECT 'L' || $1.id % 4 $$;
`;

let database: TestDatabase;
let gateway: TestGateway;
let plain: TestGateway;

beforeAll(async () => {
  database = await createTestDatabase({ sql: SQL });
  const postgrest = { 'db-anon-role': 'postgres', 'db-aggregates-enabled': true, 'db-plan-enabled': true };
  const options = { databaseUrl: database.url, jwtSecret: 'secret-of-keysets-with-32-characters-or-more' };
  gateway = await startGateway({
    ...options,
    postgrest: {
      ...postgrest,
      'cascata-keyset-enabled': true,
      'cascata-etag-enabled': true,
      'db-max-rows': 25,
    },
  });
  plain = await startGateway({ ...options, postgrest });
});

afterAll(async () => {
  await gateway?.close();
  await plain?.close();
  await database?.drop();
});

const get = (path: string, question: Question = {}): Promise<Answer> =>
  ask(gateway, `/rest/v1${path}`, question);

/** The rows of every page, one list a page; each begins where `Next-Cursor` of the last one says. */
async function pages(path: string): Promise<unknown[][]> {
  const found: unknown[][] = [];
  let cursor: unknown = '';
  while (cursor !== undefined) {
    const { status, json, headers, text } = await get(`${path}&cursor=after.${cursor}`);
    expect(status, text).toBe(200);
    found.push(json as unknown[]);
    cursor = headers['next-cursor'];
    if (found.length > 200) throw new Error('the pages do not end');
  }
  return found;
}

/** All rows at once, in the order that the pages have to have: the primary key behind everything. */
async function rowsOf(path: string): Promise<unknown[]> {
  return (await ask(plain, `/rest/v1${path}`)).json as unknown[];
}

describe('every row comes once and in its order', () => {
  test.each([
    ['no order but the key', '/things?select=id', '&order=id'],
    ['one way, with ties', '/things?select=id&order=made', '&order=made,id'],
    ['backwards, with ties', '/things?select=id&order=made.desc', '&order=made.desc,id.desc'],
    ['NULLs last', '/things?select=id&order=price', '&order=price,id'],
    ['NULLs first, backwards', '/things?select=id&order=price.desc', '&order=price.desc,id.desc'],
    ['NULLs first', '/things?select=id&order=rank.asc.nullsfirst', '&order=rank.nullsfirst,id'],
    [
      'NULLs last, backwards',
      '/things?select=id&order=rank.desc.nullslast',
      '&order=rank.desc.nullslast,id.desc',
    ],
    ['both ways', '/things?select=id&order=rank.desc,title,id.desc', ''],
    ['the key in front', '/things?select=id&order=id.desc,title', ''],
    ['an enum and a float', '/things?select=id&order=size,score.desc', '&order=size,score.desc,id.desc'],
    ['a JSON path', '/things?select=id&order=info->a,info->>b', '&order=info->a,info->>b,id'],
    ['a computed column', '/things?select=id&order=label.desc', '&order=label.desc,id.desc'],
    [
      'a column of an embed',
      '/things?select=id,makers(id)&order=makers(name).desc',
      '&order=makers(name).desc,id.desc',
    ],
    ['a column of an embed that is not shown', '/things?select=id,makers()&order=makers(name),id.desc', ''],
    ['a spread', '/things?select=id,...makers(maker:name)&order=makers(name),id', ''],
    [
      'embeds and filters',
      '/things?select=*,parts(no),makers!inner(name)&rank=not.is.null&order=rank',
      '&order=rank,id',
    ],
    [
      'a logic tree',
      '/things?select=id&or=(rank.eq.2,title.gt.t3)&order=title.desc',
      '&order=title.desc,id.desc',
    ],
    ['a key of two columns', '/parts?select=no,thing_id&order=no.desc', '&order=no.desc,thing_id.desc'],
    ['a view', '/thing_view?order=title', '&order=title,id'],
    ['columns of one name', '/things?select=id,id,x:id&order=title', '&order=title,id'],
  ])('%s', async (_what, path, order) => {
    // Where the order is given anew, the first one counts no more.
    const all = await rowsOf(order === '' ? path : `${path.replace(/&order=[^&]*/, '')}${order}`);
    expect(all.length).toBeGreaterThan(20);
    for (const limit of [7, 25]) {
      const paged = await pages(`${path}&limit=${limit}`);
      expect(paged.flat()).toEqual(all);
      expect(paged.map((page) => page.length).slice(0, -1)).toEqual(
        Array.from({ length: Math.ceil(all.length / limit) - 1 }, () => limit),
      );
    }
  });

  test('whatever the order and the size of pages', async () => {
    const column = fc.constantFrom('id', 'made', 'price', 'rank', 'score', 'size', 'title', 'maker_id');
    const term = fc
      .tuple(column, fc.constantFrom('', '.asc', '.desc'), fc.constantFrom('', '.nullsfirst', '.nullslast'))
      .map((parts) => parts.join(''));
    await fc.assert(
      fc.asyncProperty(
        fc.array(term, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 5, max: 25 }),
        async (order, limit) => {
          const isDescending = order.at(-1)!.includes('.desc');
          const all = await rowsOf(`/things?select=id&order=${order},id${isDescending ? '.desc' : ''}`);
          expect((await pages(`/things?select=id&order=${order}&limit=${limit}`)).flat()).toEqual(all);
        },
      ),
      { numRuns: 40 },
    );
  });
});

test('rows that come and go before a page do not move it', async () => {
  const first = await get('/things?select=id&order=made,id&limit=10&cursor=after.');
  const next = `/things?select=id&order=made,id&limit=10&cursor=after.${first.headers['next-cursor']}`;
  const before = (await get(next)).json;
  const shown = first.json as { id: number }[];
  await runSql(
    database.url,
    `INSERT INTO things (id, made) VALUES (1000, '2020-01-01Z');
     UPDATE things SET made = '2030-01-01Z' WHERE id = ${shown.at(-1)!.id}`,
  );
  expect((await get(next)).json).toEqual(before);
  await runSql(
    database.url,
    `DELETE FROM things WHERE id = 1000;
     UPDATE things SET made = '2026-01-01Z'::timestamptz + (id % 6) * interval '1 day 3.000001 s' WHERE id = ${shown.at(-1)!.id}`,
  );
});

describe('what a page says', () => {
  test('the next cursor and a link to it, but for the last page', async () => {
    const path = '/things?select=id&title=like.t*&title=neq.t%26&order=id&limit=25';
    const first = await get(`${path}&cursor=after.`, { headers: { origin: 'https://app.example.com' } });
    const cursor = first.headers['next-cursor'];
    expect(first.headers.link).toBe(
      `<?select=id&title=like.t*&title=neq.t%26&order=id&limit=25&cursor=after.${cursor}>; rel="next"`,
    );
    expect(first.headers['access-control-expose-headers']).toContain('Next-Cursor');
    expect(first.headers['content-location']).toContain('cursor=after.');
    const link = /<(.*)>/.exec(String(first.headers.link))?.[1];
    const followed = new URL(link!, `http://example.com/rest/v1${path}`);
    expect(followed.pathname).toBe('/rest/v1/things');
    const second = await ask(gateway, followed.pathname + followed.search);
    expect((second.json as { id: number }[])[0]).toEqual({ id: 29 });
    const third = await get(`${path}&cursor=after.${second.headers['next-cursor']}`);
    expect([third.headers['next-cursor'], third.headers.link]).toEqual([undefined, undefined]);
  });

  test('the total, but no place that nobody counted', async () => {
    const headers = { prefer: 'count=exact' };
    const first = await get('/things?order=id&limit=10&cursor=after.', { headers });
    expect([first.status, first.headers['content-range']]).toEqual([206, '0-9/60']);
    const second = await get(`/things?order=id&limit=10&cursor=after.${first.headers['next-cursor']}`, {
      headers,
    });
    expect([second.status, second.headers['content-range']]).toEqual([206, '*/60']);
    const whole = await get('/makers?cursor=after.', { headers });
    expect([whole.status, whole.headers['content-range']]).toEqual([200, '0-4/5']);
  });

  test('HEAD, CSV and one object have their cursors too', async () => {
    const path = '/things?select=id,title&order=title,id&limit=1&cursor=after.';
    const cursor = (await get(path)).headers['next-cursor'];
    for (const question of [
      { method: 'HEAD' },
      { headers: { accept: 'text/csv' } },
      { headers: { accept: 'application/vnd.pgrst.object+json' } },
      { headers: { range: '0-0' } },
    ]) {
      expect((await get(path, question)).headers['next-cursor']).toBe(cursor);
    }
    expect((await get(path, { headers: { accept: 'text/csv' } })).text).toBe('id,title\n1,t1');
    expect((await get(path, { headers: { accept: 'application/vnd.pgrst.object+json' } })).json).toEqual({
      id: 1,
      title: 't1',
    });
  });

  test('the bytes of its rows are those of the same rows without a cursor', async () => {
    const path = '/things?select=*,makers(*),parts(*)&order=id&limit=3';
    expect((await get(`${path}&cursor=after.`)).text).toBe((await get(path)).text);
  });

  test('another tag when rows come behind it', async () => {
    const path = '/makers?order=id&limit=5&cursor=after.';
    const { etag } = (await get(path)).headers;
    await runSql(database.url, `INSERT INTO makers VALUES (6, 'Maker 6')`);
    const more = await get(path, { headers: { 'if-none-match': String(etag) } });
    expect([more.status, more.headers['next-cursor'] === undefined]).toEqual([200, false]);
    await runSql(database.url, 'DELETE FROM makers WHERE id = 6');
  });

  test('db-max-rows bounds a page, and no limit at all makes no pages', async () => {
    expect((await pages('/things?select=id')).map((page) => page.length)).toEqual([25, 25, 10]);
    const { json, headers } = await get('/things?limit=0&cursor=after.');
    expect([json, headers['next-cursor']]).toEqual([[], undefined]);
  });
});

describe('an index finds where a page begins', () => {
  /** The plan of the page behind `values`, by the cursor that the gateway itself makes for such a place. */
  async function planOf(path: string): Promise<string> {
    const { headers } = await get(`${path}&limit=10&cursor=after.`);
    const accept = 'application/vnd.pgrst.plan+text';
    return (await get(`${path}&limit=10&cursor=after.${headers['next-cursor']}`, { headers: { accept } }))
      .text;
  }

  test('by one row comparison where the order goes one way', async () => {
    expect(await planOf('/events?order=at')).toMatch(/Index Cond: \(ROW\(.*at, .*id\) > ROW\('/);
    expect(await planOf('/events?order=at.desc')).toMatch(/Index Cond: \(ROW\(.*at, .*id\) < ROW\('/);
    expect(await planOf('/events?note=lt.9&order=note.desc')).toMatch(
      /Index Cond: .*ROW\(.*note, .*id\) < ROW\('/,
    );
  });

  test('by the same in a view, and in a column with NULLs, where a filter leaves them out', async () => {
    expect(await planOf('/event_view?at=not.is.null&order=at')).toMatch(
      /Index Cond: .*ROW\(.*at, .*id\) > ROW\('/,
    );
    expect(await planOf('/events?note=gte.0&order=note')).toMatch(
      /Index Cond: .*ROW\(.*note, .*id\) > ROW\('/,
    );
  });

  test('by a bound on the first column where it goes both', async () => {
    expect(await planOf('/events?kind=eq.k1&order=at.desc,id')).toMatch(
      /Index Cond: \(\(.*kind = 'k1'.*at <= '/,
    );
  });
});

describe('a cursor that is no good', () => {
  const place = async (path: string) => String((await get(path)).headers['next-cursor']);

  test.each([
    ['no token', '('],
    ['no JSON', 'YWJj'],
    ['no texts', cursorToken('12345678', '[1]')],
    ['nothing', cursorToken('12345678', '[]')],
    ['of another order', cursorToken('12345678', '["1"]')],
  ])('%s is refused', async (_what, token) => {
    const { status, json } = await get(`/things?order=id&cursor=after.${token}`);
    expect([status, json]).toMatchObject([400, { code: 'GW603' }]);
  });

  test('of another order or relation is refused', async () => {
    const cursor = await place('/things?order=title&limit=5&cursor=after.');
    for (const path of [
      '/things?order=title.desc',
      '/things?order=rank',
      '/things?',
      '/thing_view?order=title',
    ]) {
      expect((await get(`${path}&cursor=after.${cursor}`)).json).toMatchObject({ code: 'GW603' });
    }
    // The same order, spelled out.
    expect((await get(`/things?order=title.asc.nullslast&limit=9&cursor=after.${cursor}`)).status).toBe(200);
  });

  test('made up by a client is nothing but values', async () => {
    const fingerprint = Buffer.from(
      await place('/things?select=id&order=title&limit=5&cursor=after.'),
      'base64url',
    )
      .toString()
      .slice(0, 8);
    const made = (values: readonly (string | null)[]) =>
      get(`/things?select=id&order=title&cursor=after.${cursorToken(fingerprint, JSON.stringify(values))}`);
    expect((await made([`t7') OR true --`, '0'])).json).toHaveLength(7);
    expect((await made(['t1', `0'; DROP TABLE things; --`])).json).toMatchObject({ code: '22P02' });
    expect((await made(['t1', null])).status).toBe(200);
    expect((await made(['t1'])).json).toMatchObject({ code: 'GW603' });
    expect((await get('/things?select=id&limit=1')).status).toBe(200);
  });
});

test('any values in a cursor give rows or an error of the client', async () => {
  const path = '/things?select=id&order=made,size,price&limit=5';
  const { headers } = await get(`${path}&cursor=after.`);
  const fingerprint = Buffer.from(String(headers['next-cursor']), 'base64url').toString().slice(0, 8);
  const value = fc.oneof(
    fc.constant(null),
    fc.uint8Array({ maxLength: 40 }).map((given) => Buffer.from(given).toString('latin1')),
    fc.constantFrom('small', '2026-01-02', 'NaN', 'Infinity', '0', '\0', '\ud800'),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 4, maxLength: 4 }), async (values) => {
      const token = cursorToken(fingerprint, JSON.stringify(values));
      const { status, text } = await get(`${path}&cursor=after.${token}`);
      expect([200, 400], text).toContain(status);
    }),
    { numRuns: 200 },
  );
});

test.each([
  [
    'a relation without a key',
    '/keyless?',
    "'keyless' has no primary key by which rows of one place could be told apart",
  ],
  ['aggregates', '/things?select=rank,count()', 'Aggregated rows have no place in an order of their own'],
  ['an offset', '/things?offset=5', 'A cursor and an offset exclude each other'],
  [
    'a place too long for a header',
    '/long_titles?order=title&limit=1',
    'The columns of the order hold values too long for a cursor',
  ],
])('%s has no keyset pages', async (_what, path, details) => {
  const { status, json } = await get(`${path}&cursor=after.`);
  expect([status, json]).toMatchObject([400, { code: 'GW604', details }]);
});

test('a column of that name is filtered on as ever, by whatever operator PostgREST has', async () => {
  expect((await get('/things?select=id&cursor=eq.after.7')).json).toEqual([{ id: 7 }]);
  expect((await get('/things?select=id&cursor=in.(after.7)&cursor=after.')).json).toEqual([{ id: 7 }]);
  expect((await get('/things?select=id&cursor=x')).json).toMatchObject({ code: 'PGRST100' });
});

test('without the setting a cursor is what PostgREST takes it for, a filter that cannot be parsed', async () => {
  const { status, json } = await ask(plain, '/rest/v1/things?cursor=after.');
  expect([status, json]).toMatchObject([
    400,
    { code: 'PGRST100', message: '"failed to parse filter (after.)" (line 1, column 1)' },
  ]);
});
