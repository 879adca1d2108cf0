import { describe, expect, test } from 'vitest';
import { respond, shown } from './response-builder.ts';

const EXACT = { prefer: 'count=exact' };

describe('GET of a relation', () => {
  test('is 200 with the body as PostgreSQL wrote it', async () => {
    const body = '[{"id":1}, \n {"id":12345678901234567890}]';
    const response = respond({ url: '/films?select=id&id=gt.0&limit=2' }, { row: { pageCount: '2', body } });
    expect(await shown(response)).toEqual({
      status: 200,
      headers: {
        'content-location': '/films?id=gt.0&limit=2&select=id',
        'content-range': '0-1/*',
        'content-type': 'application/json; charset=utf-8',
      },
      body,
    });
    expect(response.headers.get('vary')).toBe('Accept, Prefer, Range');
  });

  test('without parameters has a bare Content-Location', () => {
    expect(respond().headers.get('content-location')).toBe('/films');
  });

  test('a name beyond ASCII travels as its UTF-8 bytes', () => {
    const location = respond({ url: '/caf%C3%A9' }).headers.get('content-location');
    expect(Buffer.from(location ?? '', 'latin1').toString('utf8')).toBe('/café');
  });

  test.each([
    ['the page is all there is', '', '5', '5', 200, '0-4/5'],
    ['the page is less', 'limit=2', '2', '5', 206, '0-1/5'],
    ['the page is the end', 'offset=3', '2', '5', 206, '3-4/5'],
    ['the offset is the total', 'offset=5', '0', '5', 206, '*/5'],
    ['there are no rows', '', '0', '0', 200, '*/0'],
    ['no rows are asked for', 'limit=0', '0', '5', 206, '*/5'],
  ])('counted, when %s', (_when, query, pageCount, totalCount, status, range) => {
    const response = respond({ url: `/films?${query}`, headers: EXACT }, { row: { pageCount, totalCount } });
    expect([response.status, response.headers.get('content-range')]).toEqual([status, range]);
  });

  test('uncounted is always 200', () => {
    const response = respond({ url: '/films?offset=9&limit=2' }, { row: { pageCount: '0' } });
    expect([response.status, response.headers.get('content-range')]).toEqual([200, '*/*']);
  });

  test('past the total is 416 with an error in the place of the rows', async () => {
    const response = respond(
      { url: '/films?offset=9', headers: EXACT },
      { row: { pageCount: '0', totalCount: '5' } },
    );
    expect(await shown(response)).toEqual({
      status: 416,
      headers: {
        'content-location': '/films?offset=9',
        'content-range': '*/5',
        'content-type': 'application/json; charset=utf-8',
        'preference-applied': 'count=exact',
      },
      body: '{"code":"PGRST103","details":"An offset of 9 was requested, but there are only 5 rows.","hint":null,"message":"Requested range not satisfiable"}',
    });
  });

  test('names the profile when one was asked for or several are exposed', () => {
    const asked = respond({ headers: { 'accept-profile': 'public' } });
    expect(asked.headers.get('content-profile')).toBe('public');
    const several = respond({ settings: { 'db-schemas': 'public,api' } });
    expect(several.headers.get('content-profile')).toBe('public');
    expect(respond().headers.has('content-profile')).toBe(false);
  });

  test('HEAD has the same headers and no body, nor a length', async () => {
    const url = '/films?limit=2';
    const row = { pageCount: '2', totalCount: '5', body: '' };
    const head = respond({ method: 'HEAD', url, headers: EXACT }, { row });
    const get = respond({ url, headers: EXACT }, { row: { ...row, body: '[]' } });
    expect(await shown(head)).toEqual({ ...(await shown(get)), body: null });
  });

  test('HEAD past the total is 416 without a body', () => {
    const head = respond(
      { method: 'HEAD', url: '/films?offset=9', headers: EXACT },
      { row: { pageCount: '0', totalCount: '5' } },
    );
    expect([head.status, head.body]).toEqual([416, null]);
  });
});

describe('counts that are not exact', () => {
  const explain = '[{"Plan":{"Node Type":"Seq Scan","Plan Rows":1234}}]';

  function range(prefer: string, row: { totalCount?: string }, settings = {}, plan = explain): string | null {
    const given = { url: '/films?limit=10', headers: { prefer }, settings };
    return respond(given, { row: { pageCount: '10', ...row }, explain: plan }).headers.get('content-range');
  }

  test('planned is the guess of the planner', () => {
    expect(range('count=planned', {})).toBe('0-9/1234');
  });

  test('estimated is exact up to max-rows', () => {
    expect(range('count=estimated', { totalCount: '100' }, { 'db-max-rows': '100' })).toBe('0-9/100');
  });

  test('estimated is the greater of both beyond max-rows', () => {
    expect(range('count=estimated', { totalCount: '101' }, { 'db-max-rows': '100' })).toBe('0-9/1234');
    expect(range('count=estimated', { totalCount: '2000' }, { 'db-max-rows': '100' })).toBe('0-9/2000');
    expect(range('count=estimated', { totalCount: '2000' })).toBe('0-9/2000');
  });

  test('a plan without a guess leaves the total unknown', () => {
    expect(range('count=planned', {}, {}, '[]')).toBe('0-9/*');
  });
});

describe('formats', () => {
  test.each([
    ['text/csv', 'text/csv; charset=utf-8'],
    ['application/geo+json', 'application/geo+json; charset=utf-8'],
    ['application/vnd.pgrst.object', 'application/vnd.pgrst.object+json; charset=utf-8'],
    [
      'application/vnd.pgrst.object+json;nulls=stripped',
      'application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8',
    ],
    [
      'application/vnd.pgrst.array+json;nulls=stripped',
      'application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8',
    ],
    ['application/vnd.pgrst.array+json', 'application/json; charset=utf-8'],
    ['text/html,*/*;q=0.8', 'application/json; charset=utf-8'],
  ])('%s is answered with %s', (accept, contentType) => {
    expect(respond({ headers: { accept } }).headers.get('content-type')).toBe(contentType);
  });

  test.each([
    ['image/png', 'image/png'],
    ['text/plain', 'text/plain; charset=utf-8'],
    ['text/xml', 'text/xml; charset=utf-8'],
    ['text/html', 'text/html'],
  ])("a tenant's own handler for %s is answered with %s", (name, contentType) => {
    const handler = {
      mediaType: name,
      relation: undefined,
      aggregate: { schema: 'p', physicalSchema: 'p', name: 'a' },
    };
    const response = respond(
      {},
      {
        plan: (plan) =>
          ({ ...plan, body: { kind: 'aggregate', media: { kind: 'other', name }, handler } }) as typeof plan,
      },
    );
    expect(response.headers.get('content-type')).toBe(contentType);
  });

  test('a handler of any type says nothing of its bytes, unless the database does', () => {
    const aggregate = { schema: 'p', physicalSchema: 'p', name: 'a' };
    const body = {
      kind: 'aggregate',
      media: { kind: 'any' },
      handler: { mediaType: '*/*', relation: undefined, aggregate },
    } as const;
    const plan = <T extends object>(planned: T): T => ({ ...planned, body });
    expect(respond({}, { plan }).headers.get('content-type')).toBe('application/octet-stream');
    const row = { responseHeaders: '[{"content-type":"image/gif"}]' };
    expect(respond({}, { plan, row }).headers.get('content-type')).toBe('image/gif');
  });
});

describe('a query plan', () => {
  const given = {
    url: '/films?limit=1',
    headers: { accept: 'application/vnd.pgrst.plan; for="application/json"; options=verbose|analyze;' },
    settings: { 'db-plan-enabled': true },
  };

  test('is EXPLAIN’s rows, a line each', async () => {
    expect(await shown(respond(given, { rows: [['Limit'], ['  ->  Seq Scan on films']] }))).toEqual({
      status: 200,
      headers: {
        'content-type':
          'application/vnd.pgrst.plan+text; for="application/json"; options=analyze|verbose; charset=utf-8',
      },
      body: 'Limit\n  ->  Seq Scan on films\n',
    });
  });

  test('has no body on HEAD', () => {
    expect(respond({ ...given, method: 'HEAD' }, { rows: [['Limit']] }).body).toBeNull();
  });
});

test('an answer without a row is an internal error', () => {
  expect(() => respond({}, { rows: [] })).toThrow(expect.objectContaining({ code: 'PGRSTX00' }));
});
