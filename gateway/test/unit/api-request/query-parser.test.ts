import { expect, test } from 'vitest';
import { parseQuery } from '../../../api-request/parse-query.ts';
import { QueryParser } from '../../../api-request/query-parser.ts';

const QUERIES = [
  '',
  'id=eq.1',
  'select=id,films(title)&order=id.desc&limit=10',
  'a=1&b=eq.2',
  'cursor=after.x&id=eq.1',
  'or=(a.eq.1,b.eq.2)',
];

/** What it gives, whether it is kept or not, or what it throws. */
function outcome(parse: typeof parseQuery, ...args: Parameters<typeof parseQuery>): unknown {
  try {
    const { params, ...others } = parse(...args);
    const { isKept: _, ...rest } = params;
    return { ...others, params: rest };
  } catch (error) {
    return error;
  }
}

test('what is remembered is what parsing gives, for each way of reading it', () => {
  const { parse } = new QueryParser();
  for (let round = 0; round < 4; round++) {
    for (const query of QUERIES) {
      expect(outcome(parse, query, false)).toEqual(outcome(parseQuery, query, false));
      expect(outcome(parse, query, false, true)).toEqual(outcome(parseQuery, query, false, true));
      expect(outcome(parse, query, true)).toEqual(outcome(parseQuery, query, true));
    }
  }
});

test('a query that comes again is parsed twice and no more', () => {
  const { parse } = new QueryParser();
  const [first, second, third, fourth] = Array.from({ length: 4 }, () => parse('id=eq.1', false));
  expect(first).not.toBe(second);
  expect([third, fourth]).toEqual([second, second]);
  expect(third).toBe(second);
  expect(fourth).toBe(second);
  expect([first!.params.isKept, second!.params.isKept]).toEqual([undefined, true]);
});

test('a faulty query is refused each time', () => {
  const { parse } = new QueryParser();
  for (let i = 0; i < 4; i++) {
    expect(() => parse('select=a(', false)).toThrow(expect.objectContaining({ code: 'PGRST100' }));
  }
});

test('what is long, or was not asked for in a while, is not kept', () => {
  const { parse } = new QueryParser();
  const long = `id=in.(${'1,'.repeat(300)}1)`;
  expect(parse(long, false)).not.toBe(parse(long, false));
  const [, kept] = [parse('id=eq.0', false), parse('id=eq.0', false)];
  for (let i = 1; i <= 5_000; i++) parse(`id=eq.${i}`, false);
  expect(parse('id=eq.0', false)).not.toBe(kept);
});

test('long queries push each other out before short ones would', () => {
  const { parse } = new QueryParser();
  const kept = [parse('id=eq.0', false), parse('id=eq.0', false)][1];
  const long = 'x'.repeat(400);
  for (let i = 0; i < 600; i++) for (let time = 0; time < 2; time++) parse(`id=eq.${i}${long}`, false);
  expect(parse('id=eq.0', false)).not.toBe(kept);
});
