import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseApiRequest } from '../../../api-request/parse-api-request.ts';
import { GatewayError } from '../../../errors/gateway-error.ts';
import { literalTemplate } from '../../../execute/role-switch/literal-template.ts';
import type { DatabasePlan } from '../../../plan/action-plan.ts';
import { planAction } from '../../../plan/plan-action.ts';
import { buildMainQuery } from '../../../query/build-main-query.ts';
import { castType } from '../../../query/cast-type.ts';
import { aTenant } from '../../support/tenant-builder.ts';
import { CINEMA } from './cinema.ts';

const tenant = aTenant({ postgrest: { 'db-aggregates-enabled': 'true' } });
/** Of a usual size: a number that we wrote, from an integer. */
const PAGE = /(?<= LIMIT )\d+/g;

/** Texts of the statements of a request; `undefined` for one that is refused. */
function textsOf(target: string, payload: string, body?: object): readonly string[] | undefined {
  const inQuotes = `"${payload.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  const filled = target
    .replaceAll('@q', () => encodeURIComponent(inQuotes))
    .replaceAll('@', () => encodeURIComponent(payload));
  const [path = '', rawQuery = ''] = filled.split(/\?(.*)/s);
  const method = body === undefined ? 'GET' : 'POST';
  const text = JSON.stringify(body ?? null).replaceAll('@', () => JSON.stringify(payload).slice(1, -1));
  try {
    const request = parseApiRequest(
      {
        method,
        path,
        rawQuery,
        headers: { prefer: 'resolution=merge-duplicates' },
        body: body && new TextEncoder().encode(text),
      },
      tenant.settings,
    );
    const plan = planAction(request, CINEMA, tenant.settings) as DatabasePlan;
    const { statements } = buildMainQuery(plan, request, tenant);
    // Also as a sealed tenant's statement goes, which PostgreSQL puts values into.
    return statements.flatMap(({ text }) =>
      [text, literalTemplate(text)].map((each) => each.replaceAll(PAGE, '1')),
    );
  } catch (error) {
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}

/** `@`: what a client writes, percent-encoded; `@q`: the same in the grammar's quotes. */
const TARGETS: Readonly<Record<string, string>> = {
  'a value': '/films?title=eq.@',
  'a list': '/films?title=in.(@q,@q)',
  'a quantified array': '/films?title=eq(any).{@q}',
  'a pattern': '/films?title=ilike.*@*',
  'a regular expression': '/films?title=imatch.@',
  'full text search': '/films?title=wfts(@).@',
  'a tree of conditions': '/films?or=(title.eq.@q,and(title.like.@q,year.gt.@q))',
  'an alias': '/films?select=@q:title',
  'an alias of an embed': '/films?select=@q:directors(name)',
  'an alias in an embed': '/films?select=directors(@q:name)',
  'an alias in a spread': '/films?select=id,...directors(@q:name)',
  'an alias of an aggregate': '/films?select=@q:id.sum()',
  'a filter of an embed with an alias': '/films?select=@q:directors(name)&order=id',
  'a JSON path': '/films?select=info->@q->>@q',
  'a JSON path in a filter': '/films?info->>@q=eq.@',
  'a JSON path in an order': '/films?order=info->@q.desc',
  'a limit': '/films?limit=@&offset=@',
  'an argument': '/rpc/add?a=@&b=@',
  'an argument’s name': '/rpc/add?a=1&@=2',
};

/** Where a name is looked for in the picture; every other is refused. */
const NAMES: Readonly<Record<string, string>> = {
  'a column': '/films?@q=eq.1',
  'a selected column': '/films?select=@q',
  'a selected column with an alias': '/films?select=x:@q',
  'a column of an embed': '/films?select=directors(@q)',
  'a column that an embed is filtered by': '/films?select=directors(name)&directors.@q=eq.1',
  'a column in a tree': '/films?or=(@q.eq.1,id.eq.1)',
  'a column with a path': '/films?select=@q->a',
  'a column that is compared with': '/films?title=eq(col).@q',
  'an order': '/films?order=@q.desc.nullslast',
  'an order by an embed': '/films?select=directors(name)&order=directors(@q)',
  'a column to return': '/rpc/old_films?select=@q',
  'a cast': '/films?select=title::@',
  'a cast of an aggregate': '/films?select=id.sum()::@',
};

const PAYLOADS = [
  `'; DROP TABLE own; -- `,
  `x") OR ("1"="1`,
  `"; SELECT 1; --`,
  '$$ x $$',
  '$1 x $2',
  '%L %I %s %1$L',
  `\\' OR 1=1 --`,
  `E'\\x27'`,
  `U&"\\0022"`,
  '/* x */ UNION SELECT rolname FROM pg_roles',
  'x\nSELECT 1',
  `x'||(SELECT 1)||'`,
  `ʼ ＇ "" ""`,
  'text) , (SELECT 1',
];

/** What cannot change the grammar's reading of the request. */
const WORD = 'abc';

describe('what a client writes is a value: the statements are, to the letter, those of any other word', () => {
  test.each(Object.entries(TARGETS))('%s', (_position, target) => {
    const expected = textsOf(target, WORD) ?? textsOf(target, '1');
    let compared = 0;
    const compare = (payload: string): void => {
      const found = textsOf(target, payload);
      if (found === undefined) return;
      compared++;
      expect(found).toEqual(expected);
    };
    for (const payload of PAYLOADS) compare(payload);
    const marked = fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => `Ω${text}`);
    fc.assert(fc.property(marked, compare), { numRuns: 50 });
    // Some of it is taken, but where only a type, a number or the name of an argument is.
    if (!/wfts|limit|&@=/.test(target)) expect(compared).toBeGreaterThan(5);
  });

  test('a body', () => {
    const expected = textsOf('/films', WORD, { title: '@' });
    for (const payload of PAYLOADS) expect(textsOf('/films', payload, { title: '@' })).toEqual(expected);
    expect(expected?.length).toBeGreaterThan(0);
  });
});

describe('a name that the picture has nowhere is in no statement', () => {
  test.each(Object.entries(NAMES))('%s', (_position, target) => {
    expect(textsOf(target, WORD)).toBeUndefined();
    // Behind a type's name the grammar may end, and what follows is left alone.
    const holds = (payload: string): boolean =>
      textsOf(target, payload)?.some((text) => text.includes(payload)) ?? false;
    expect(PAYLOADS.filter(holds)).toEqual([]);
    const marked = fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => `Ω${text}`);
    fc.assert(
      fc.property(marked, (name) => {
        expect(textsOf(target, name)?.join() ?? '').not.toContain('Ω');
      }),
      { numRuns: 50 },
    );
  });

  test('a column of a conflict', () => {
    for (const payload of PAYLOADS) {
      expect(textsOf('/films?on_conflict=@q', payload, { id: 1 })).toBeUndefined();
    }
  });

  test.each(['ctid', 'to_jsonb'])('%s is every row’s', (name) => {
    expect(textsOf('/films?select=@', name)?.[0]).toContain(`."${name}"`);
  });

  test.each(['uuid', '_int4', 'timestamptz', 'films'])('%s can be cast to', (type) => {
    expect(textsOf('/films?select=title::@', type)?.[0]).toContain(`AS "${type}")`);
  });
});

describe('the type of a cast', () => {
  test.each([
    ['text', '"text"'],
    ['Color', '"color"'],
    ['  DOUBLE   precision ', 'double precision'],
    ['timestamp with time zone', 'timestamp with time zone'],
    ['interval day to second', 'interval day to second'],
    ['char', 'char'],
    ['int ARRAY', 'int ARRAY'],
    ['color array', '"color" ARRAY'],
    ['select', '"select"'],
    ['größe$1', '"größe$1"'],
  ])('%s is %s', (given, expected) => {
    expect(castType(given).strings).toEqual([expected]);
  });

  test.each([
    '',
    ' ',
    'a b',
    'text; SELECT 1',
    'a.b',
    '"text"',
    '$1',
    'text--',
    "t'",
    'int array array',
    'a\nb',
  ])('%j is no type', (given) => {
    expect(() => castType(given)).toThrow(expect.objectContaining({ code: 'PGRST100' }));
  });

  test('whatever is given is a name of the grammar or a quoted one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (given) => {
        try {
          expect(castType(given).strings.join('')).toMatch(
            /^(?:"[\p{L}_][\p{L}\p{N}_$]*"|[a-z]+(?: [a-z]+)*)(?: ARRAY)?$/u,
          );
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
        }
      }),
    );
  });
});
