import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  compileSql,
  EMPTY_SQL,
  ident,
  joinSql,
  quoteIdent,
  quoteLiteral,
  raw,
  type SqlFragment,
  sql,
} from '../../../platform/sql.ts';

test('interpolations become numbered values, identifiers are quoted', () => {
  expect(compileSql(sql`SELECT ${ident('a"b')} WHERE x = ${'5'}`)).toEqual({
    text: 'SELECT "a""b" WHERE x = $1',
    values: ['5'],
  });
});

test('numbers, bigints and booleans travel as text, null stays null', () => {
  expect(compileSql(sql`VALUES (${1}, ${2n ** 60n}, ${true}, ${null})`)).toEqual({
    text: 'VALUES ($1, $2, $3, $4)',
    values: ['1', '1152921504606846976', 'true', null],
  });
});

test('nested fragments are spliced in and numbered in the order of their appearance', () => {
  const inner = sql`b = ${'B'} AND c = ${'C'}`;
  expect(compileSql(sql`a = ${'A'} AND (${inner}) AND d = ${'D'}`)).toEqual({
    text: 'a = $1 AND (b = $2 AND c = $3) AND d = $4',
    values: ['A', 'B', 'C', 'D'],
  });
});

test('joining puts the separator between fragments only', () => {
  const joined = joinSql([sql`a = ${'1'}`, raw('TRUE'), sql`b = ${'2'}`], ' AND ');
  expect(compileSql(joined)).toEqual({ text: 'a = $1 AND TRUE AND b = $2', values: ['1', '2'] });
  expect(joinSql([], ', ')).toBe(EMPTY_SQL);
});

test('several parts of a name are joined by dots and NULs are dropped', () => {
  expect(quoteIdent('my schema', 'a"b\0')).toBe('"my schema"."a""b"');
});

test('literals double quotes, and backslashes only where there are some', () => {
  expect([quoteLiteral("it's"), quoteLiteral("a\\'b"), quoteLiteral('n\0ul')]).toEqual([
    "'it''s'",
    "E'a\\\\''b'",
    "'nul'",
  ]);
});

test('however fragments are nested: one placeholder per value, in order, and no value in the text', () => {
  // Digits and a marker that no text below contains.
  const value = fc.integer({ min: 0, max: 1e6 }).map((n) => `v${n}v`);
  interface Case {
    readonly built: SqlFragment;
    readonly values: readonly string[];
  }
  const { fragment } = fc.letrec<{ fragment: Case }>((tie) => ({
    fragment: fc.oneof(
      { depthSize: 'small' },
      value.map((v): Case => ({ built: sql`x = ${v}`, values: [v] })),
      fc.constant<Case>({ built: raw('TRUE'), values: [] }),
      fc.array(tie('fragment'), { maxLength: 4 }).map(
        (parts): Case => ({
          built: sql`(${joinSql(
            parts.map(({ built }) => built),
            ' OR ',
          )})`,
          values: parts.flatMap(({ values }) => values),
        }),
      ),
    ),
  }));
  fc.assert(
    fc.property(fragment, ({ built, values }) => {
      const statement = compileSql(built);
      expect(statement.values).toEqual(values);
      expect(statement.text.match(/\$\d+/g) ?? []).toEqual(values.map((_, i) => `$${i + 1}`));
      expect(statement.text).not.toMatch(/v\d+v/);
    }),
  );
});
