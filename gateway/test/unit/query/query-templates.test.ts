import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseApiRequest } from '../../../api-request/parse-api-request.ts';
import { QueryParser } from '../../../api-request/query-parser.ts';
import type { DatabasePlan } from '../../../plan/action-plan.ts';
import { planAction } from '../../../plan/plan-action.ts';
import { buildMainQuery } from '../../../query/build-main-query.ts';
import { type BuildQuery, QueryTemplates } from '../../../query/query-templates.ts';
import { aTenant } from '../../support/tenant-builder.ts';
import { CINEMA } from './cinema.ts';

const tenant = aTenant({});
const context = { tenant, cache: CINEMA };

const build: BuildQuery = (request) => {
  const plan = planAction(request, CINEMA, tenant.settings) as DatabasePlan;
  return { plan, query: buildMainQuery(plan, request, tenant) };
};

function get(target: string, headers: Readonly<Record<string, string>> = {}) {
  const [path = '', rawQuery = ''] = target.split(/\?(.*)/s);
  return parseApiRequest({ method: 'GET', path, rawQuery, headers, body: undefined }, tenant.settings);
}

/** How often `build` ran for these requests, in order; each answer must be what `build` itself gives. */
function builds(targets: readonly string[], headers: Readonly<Record<string, string>> = {}): number[] {
  const templates = new QueryTemplates();
  return targets.map((target) => {
    let count = 0;
    const counted: BuildQuery = (request) => {
      count++;
      return build(request);
    };
    const request = get(target, headers);
    expect(templates.prepare(request, context, counted).query).toEqual(build(request).query);
    return count;
  });
}

describe('a shape that comes again', () => {
  test('is learnt at the second request and not planned from the third on', () => {
    expect(builds(['/films?id=eq.1', '/films?id=eq.2', '/films?id=eq.3', '/films?id=eq.4'])).toEqual([
      1, 2, 0, 0,
    ]);
  });

  test.each([
    ['/films?title=like.*a*', '/films?title=like.b**', '/films?title=like.%25'],
    [
      '/films?select=id,directors(name)&directors.name=eq.x',
      '/films?select=id,directors(name)&directors.name=eq.y',
      '/films?select=id,directors(name)&directors.name=eq.',
    ],
    [
      '/films?year=not.gt.1&id=lt.2&year=neq.3',
      '/films?year=not.gt.4&id=lt.5&year=neq.6',
      '/films?year=not.gt.7&id=lt.7&year=neq.7',
    ],
    ['/rpc/add?a=1&b=2', '/rpc/add?a=3&b=4', '/rpc/add?a=5&b=5'],
    [
      '/films?search=plfts(english).cat&id=eq.1',
      '/films?search=plfts(english).cat&id=eq.2',
      '/films?search=plfts(english).cat&id=eq.3',
    ],
  ])('with other operands: %s', (first, second, third) => {
    expect(builds([first, second, third])).toEqual([1, 2, 0]);
  });

  test('a count takes its operands twice', () => {
    expect(builds(['/films?id=gt.1', '/films?id=gt.2', '/films?id=gt.3'], { prefer: 'count=exact' })).toEqual(
      [1, 2, 0],
    );
    expect(
      builds(['/films?id=gt.1', '/films?id=gt.2', '/films?id=gt.3'], { prefer: 'count=planned' }),
    ).toEqual([1, 2, 0]);
  });
});

describe('what no template can serve is planned each time', () => {
  test('values inside an array of several', () => {
    expect(builds(['/rpc/sum_all?n=1&n=2', '/rpc/sum_all?n=3&n=4', '/rpc/sum_all?n=5&n=6'])).toEqual([
      1, 2, 1,
    ]);
  });

  test('a query string with a NUL in it', () => {
    expect(builds(['/films?id=eq.%00', '/films?id=eq.%00', '/films?id=eq.%00'])).toEqual([1, 1, 1]);
  });
});

test.each([
  ['/films?id=eq.1', '/films?id=gt.1'],
  ['/films?id=eq.1', '/films?id=not.eq.1'],
  ['/films?id=in.(1,2)', '/films?id=in.(1,3)'],
  ['/films?id=eq.1&limit=1', '/films?id=eq.1&limit=2'],
  ['/films?id=eq.1&order=id', '/films?id=eq.1&order=id.desc'],
  ['/films?select=id&id=eq.1', '/films?select=title&id=eq.1'],
  ['/films?id=eq.1', '/films?year=eq.1'],
  ['/films?id=is.null', '/films?id=is.true'],
  ['/films?or=(id.eq.1,id.eq.2)', '/films?or=(id.eq.1,id.eq.3)'],
])('%s and %s are different shapes', (a, b) => {
  expect(builds([a, a, b, b, a, b])).toEqual([1, 2, 1, 2, 0, 0]);
});

test('another picture or another form of the tenant is planned anew', () => {
  const templates = new QueryTemplates();
  const request = get('/films?id=eq.1');
  for (let i = 0; i < 3; i++) templates.prepare(request, context, build);
  let count = 0;
  const counted: BuildQuery = (asked) => {
    count++;
    return build(asked);
  };
  templates.prepare(request, { tenant, cache: { ...CINEMA } }, counted);
  templates.prepare(request, { tenant: { ...tenant }, cache: CINEMA }, counted);
  expect(count).toBeGreaterThanOrEqual(2);
});

test('whatever is asked, the statements are those of planning it', () => {
  const templates = new QueryTemplates();
  const operand = fc.oneof(
    fc.constantFrom('1', '*', '%', 'a,b', '"', ')', '{1}', 'operand 0'),
    fc.string({ maxLength: 6 }),
  );
  const filter = fc.tuple(
    fc.constantFrom('id', 'title', 'year', 'info->>a', 'directors.name'),
    fc.constantFrom('eq', 'not.eq', 'like', 'ilike', 'gt', 'cs', 'is.null', 'neq'),
    operand,
  );
  fc.assert(
    fc.property(
      fc.array(filter, { maxLength: 3 }),
      fc.constantFrom('', '&limit=2', '&order=id'),
      (filters, rest) => {
        const query = filters.map(
          ([name, op, value]) =>
            `${encodeURIComponent(name)}=${op === 'is.null' ? op : `${op}.${encodeURIComponent(value)}`}`,
        );
        const request = get(`/films?select=id,directors(name)&${query.join('&')}${rest}`);
        expect(templates.prepare(request, context, build).query).toEqual(build(request).query);
      },
    ),
    { numRuns: 2_000 },
  );
});

/** A write, or a call by POST: `PATCH /films?id=eq.1` with its body. */
function send(line: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) {
  const [method = '', target = ''] = line.split(' ');
  const [path = '', rawQuery = ''] = target.split(/\?(.*)/s);
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return parseApiRequest(
    {
      method,
      path,
      rawQuery,
      headers,
      body: body === undefined ? undefined : new TextEncoder().encode(text),
    },
    tenant.settings,
  );
}

/** As `builds`, for requests made before. */
function buildsOf(requests: readonly ReturnType<typeof send>[]): number[] {
  const templates = new QueryTemplates();
  return requests.map((request) => {
    let count = 0;
    const planned = templates.prepare(request, context, (asked) => {
      count++;
      return build(asked);
    });
    expect(planned.query).toEqual(build(request).query);
    return count;
  });
}

describe('writes and calls by POST', () => {
  test.each([
    [send('POST /films', { title: 'a' }), send('POST /films', { title: 'b' })],
    [send('POST /films', [{ title: 'a' }]), send('POST /films', [{ title: 'b' }, { title: 'c' }])],
    [
      send('POST /films?columns=title', '[{"title":"a"}]'),
      send('POST /films?columns=title', '[{"title":"b"}]'),
    ],
    [send('PATCH /films?id=eq.1', { title: 'a' }), send('PATCH /films?id=eq.2', { title: 'b' })],
    [send('DELETE /films?id=eq.1'), send('DELETE /films?id=eq.2')],
    [send('POST /rpc/add', { a: 1, b: 2 }), send('POST /rpc/add', { a: 3, b: 4 })],
  ])('of one shape are planned once (%#)', (first, second) => {
    expect(buildsOf([first, second, first, second])).toEqual([1, 2, 0, 0]);
  });

  test.each([
    [send('POST /films', { title: 'a' }), send('POST /films', { year: 1 })],
    [send('POST /films', { title: 'a' }), send('POST /films', [{ title: 'a' }])],
    [send('POST /films', { title: 'a' }), send('POST /films?columns=title', '{"title":"a"}')],
    [send('DELETE /films?id=eq.1'), send('DELETE /actors?id=eq.1')],
    [send('DELETE /films?id=eq.1'), send('PATCH /films?id=eq.1', { id: 1 })],
    [
      send('POST /films', { title: 'a' }),
      send('POST /films', { title: 'a' }, { prefer: 'return=representation' }),
    ],
    [send('POST /rpc/add', { a: 1, b: 2 }), send('GET /rpc/add?a=1&b=2')],
  ])('that differ in more than values share nothing (%#)', (a, b) => {
    expect(buildsOf([a, a, b, b, a, b])).toEqual([1, 2, 1, 2, 0, 0]);
  });

  test('of which the body decides more than keys can say are planned each time', () => {
    const put = send('PUT /films?id=eq.1', { id: 1, title: 'a' });
    expect(buildsOf([put, put, put])).toEqual([1, 1, 1]);
    const nothing = [send('POST /films', []), send('POST /films', [{}]), send('POST /films', {})];
    expect(buildsOf([...nothing, ...nothing, ...nothing])).toEqual(new Array(9).fill(1));
  });

  test('leave nothing of what was sent in the template', () => {
    const templates = new QueryTemplates();
    const secret = send('POST /films', { title: 'the secret' });
    for (let i = 0; i < 3; i++) templates.prepare(secret, context, build);
    const other = send('POST /films', { title: 'other' });
    const served = templates.prepare(other, context, () => {
      throw new Error('planned again');
    });
    expect(JSON.stringify(served)).not.toContain('the secret');
  });
});

test('a client that sends the text of a mark gets what it asked for', () => {
  const mark = encodeURIComponent('\u{f8ff}operand 0');
  const asked = (value: string) => `/films?or=(title.eq.${mark},title.eq.x)&title=eq.${value}`;
  expect(builds([asked(mark), asked(mark), asked('other'), asked('another')])).toEqual([1, 1, 1, 1]);
});

test('templates count for the size of the picture they were made on', () => {
  const templates = new QueryTemplates();
  let bytes = 0;
  const cache = {
    ...CINEMA,
    addWeight: (added: number) => {
      bytes += added;
    },
  };
  for (const id of [1, 2, 3, 4]) templates.prepare(get(`/films?id=eq.${id}`), { tenant, cache }, build);
  expect(bytes).toBeGreaterThan(5_000);
  const once = bytes;
  templates.prepare(get('/films?id=eq.5'), { tenant, cache }, build);
  expect(bytes).toBe(once);
});

test('a picture that nobody else holds is not kept by the templates made on it', async () => {
  v8.setFlagsFromString('--expose-gc');
  const collectGarbage: () => void = runInNewContext('gc');
  const templates = new QueryTemplates();
  const seen = (() => {
    const cache = { ...CINEMA };
    for (const id of [1, 2, 3]) templates.prepare(get(`/films?id=eq.${id}`), { tenant, cache }, build);
    return new WeakRef(cache);
  })();
  await expect
    .poll(() => {
      collectGarbage();
      return seen.deref() === undefined;
    })
    .toBe(true);
});

/** The statements and what they are for, or why there are none. */
function outcome(prepare: () => ReturnType<BuildQuery>): unknown {
  try {
    const { plan, query } = prepare();
    return { kind: plan.kind, query };
  } catch (error) {
    return error;
  }
}

describe('query strings that come again', () => {
  const films = CINEMA.relations.get('public\0films')!;
  /** A table with the name and the columns of a function. */
  const add = {
    ...films,
    name: 'add',
    columns: new Map(['a', 'b'].map((name) => [name, { ...films.columns.get('year')!, name }])),
  };
  const cache = { ...CINEMA, relations: new Map([...CINEMA.relations, ['public\0add', add]]) };
  const buildHere: BuildQuery = (request) => {
    const plan = planAction(request, cache, tenant.settings) as DatabasePlan;
    return { plan, query: buildMainQuery(plan, request, tenant) };
  };
  const LINES: readonly (readonly [line: string, body?: string])[] = [
    ...(['GET /films', 'HEAD /films', 'GET /actors', 'DELETE /films', 'DELETE /actors'] as const).map(
      (line) => [line] as const,
    ),
    ['GET /rpc/old_films'],
    ...['{"title":"a"}', '{"title":"b"}', '[{"title":"a"}]', '{"id":1}', '{}'].flatMap((body) => [
      ['POST /films', body] as const,
      ['PATCH /films', body] as const,
    ]),
    ...['{"id":1}', '{"name":"a"}'].map((body) => ['POST /actors', body] as const),
    ...['{"a":1,"b":2}', '{"a":3,"b":4}'].flatMap((body) => [
      ['POST /rpc/add', body] as const,
      ['POST /add', body] as const,
    ]),
  ];
  const asked = fc.record({
    line: fc.constantFrom(...LINES),
    headers: fc.constantFrom<Readonly<Record<string, string>>>(
      ...[{}, { prefer: 'count=exact' }, { prefer: 'return=representation' }, { accept: 'text/csv' }],
      ...[{ accept: 'application/vnd.pgrst.object+json' }, { range: '0-1' }],
    ),
  });

  test('give the statements of planning them, whatever else is asked with them', () => {
    const tenants = [tenant, { ...tenant }];
    fc.assert(
      fc.property(
        // One query string, and few requests that come often: all that is kept of one must be right for the other.
        fc.constantFrom('', 'id=eq.1', 'select=id&id=eq.1', 'title=like.*a*'),
        fc.array(asked, { minLength: 2, maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(2), fc.nat(9)), { minLength: 12, maxLength: 30 }),
        (rawQuery, requests, turns) => {
          const templates = new QueryTemplates();
          const { parse } = new QueryParser();
          for (const [turn, place] of turns) {
            const { line, headers } = requests[turn % requests.length]!;
            const [target, body] = line;
            const [method = '', path = ''] = target.split(' ');
            const bytes = body === undefined ? undefined : new TextEncoder().encode(body);
            const input = { method, path, rawQuery, headers, body: bytes };
            const request = parseApiRequest(input, tenant.settings, parse);
            // Seldom another form of the tenant.
            const context = { tenant: tenants[place === 9 ? 1 : 0]!, cache };
            const served = outcome(() => templates.prepare(request, context, buildHere));
            expect(served).toEqual(outcome(() => buildHere(request)));
          }
        },
      ),
      { numRuns: 800 },
    );
  });

  test('are not even filled in again when there is no body', () => {
    const templates = new QueryTemplates();
    const { parse } = new QueryParser();
    const ask = () => {
      const input = { method: 'GET', path: '/films', rawQuery: 'id=eq.1', headers: {}, body: undefined };
      return templates.prepare(parseApiRequest(input, tenant.settings, parse), context, build);
    };
    const answers = Array.from({ length: 5 }, ask);
    expect(answers[4]).toBe(answers[3]);
  });
});
