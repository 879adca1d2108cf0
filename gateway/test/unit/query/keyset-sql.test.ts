import { describe, expect, test } from 'vitest';
import type { KeysetPlan } from '../../../plan/read-plan.ts';
import { compileSql, ident, type SqlStatement } from '../../../platform/sql.ts';
import { keysetCondition } from '../../../query/keyset-sql.ts';
import { sqlFor } from '../../support/sql-for.ts';
import { CINEMA } from './cinema.ts';

type Key = KeysetPlan['keys'][number];

const UP: Key = { isDescending: false, nullsLast: true, isNullable: false };
const DOWN: Key = { isDescending: true, nullsLast: false, isNullable: false };
const NULLABLE = { isNullable: true };

function condition(keys: readonly Key[], after: readonly (string | null)[]): SqlStatement {
  const columns = ['a', 'b', 'c'].slice(0, keys.length).map((name) => ident(name));
  return compileSql(keysetCondition({ keys, after, fingerprint: '' }, columns)!);
}

describe('rows behind a place', () => {
  test.each<[string, Key[], (string | null)[], string, string[]]>([
    ['one column', [UP], ['1'], '"a" > $1', ['1']],
    ['one way', [UP, UP], ['1', '2'], '("a", "b") > ($1, $2)', ['1', '2']],
    [
      'backwards, NULLs in front',
      [{ ...DOWN, ...NULLABLE }, DOWN],
      ['1', '2'],
      '("a", "b") < ($1, $2)',
      ['1', '2'],
    ],
    [
      'both ways',
      [DOWN, UP],
      ['1', '2'],
      '"a" <= $1 AND ("a" < $2 OR ("a" = $3 AND "b" > $4))',
      ['1', '1', '1', '2'],
    ],
    ['NULLs behind', [{ ...UP, ...NULLABLE }], ['1'], '("a" > $1 OR "a" IS NULL)', ['1']],
    [
      'NULLs behind, and a key',
      [{ ...UP, ...NULLABLE }, UP],
      ['1', '2'],
      '("a" >= $1 OR "a" IS NULL) AND (("a" > $2 OR "a" IS NULL) OR ("a" = $3 AND "b" > $4))',
      ['1', '1', '1', '2'],
    ],
    [
      'among NULLs behind',
      [{ ...UP, ...NULLABLE }, UP],
      [null, '2'],
      '"a" IS NULL AND (FALSE OR ("a" IS NULL AND "b" > $1))',
      ['2'],
    ],
    [
      'among NULLs in front',
      [{ ...DOWN, ...NULLABLE }, DOWN],
      [null, '2'],
      'TRUE AND ("a" IS NOT NULL OR ("a" IS NULL AND "b" < $1))',
      ['2'],
    ],
  ])('%s', (_what, keys, after, text, values) => {
    expect(condition(keys, after)).toEqual({ text, values });
  });

  test('there are none before the first page', () => {
    expect(keysetCondition({ keys: [UP], after: undefined, fingerprint: '' }, [ident('a')])).toBeUndefined();
  });
});

test('a page fetches one row more than it shows, each with its place', () => {
  const settings = { 'cascata-keyset-enabled': true };
  const [{ text, values }] = sqlFor(CINEMA, 'GET /films?select=id&order=year.desc&limit=5&cursor=after.', {
    settings,
  }) as [SqlStatement];
  expect(text.slice(0, text.indexOf(' SELECT NULL::bigint'))).toBe(
    'WITH pgrst_page AS (SELECT pgrst_shown AS pgrst_row, json_build_array("acme"."films"."year"::text, "acme"."films"."id"::text)::text AS pgrst_place FROM "acme"."films" CROSS JOIN LATERAL (SELECT "acme"."films"."id" AS "id") AS pgrst_shown ORDER BY "acme"."films"."year" DESC, "acme"."films"."id" DESC LIMIT 6), pgrst_source AS (SELECT (pgrst_row).* FROM pgrst_page LIMIT 5)',
  );
  expect(values).toEqual(['5', '4']);
});
