import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { portableSql } from '../../../provision/portable-sql.ts';
import { lexSql } from '../../../provision/sql-lexer.ts';
import { splitStatements } from '../../../provision/sql-statements.ts';

const SCHEMAS = new Map([
  ['public', 'acme'],
  ['api', 'acme_api'],
]);

const portable = (sql: string, schemas: ReadonlyMap<string, string> = SCHEMAS) =>
  splitStatements(sql)
    .map((statement) => portableSql(statement, schemas))
    .join(';');

describe('portableSql', () => {
  test.each([
    ['SELECT * FROM public.t', 'SELECT * FROM "acme".t'],
    ['SELECT * FROM PUBLIC . "T"', 'SELECT * FROM "acme" . "T"'],
    ['SELECT * FROM public/* x */.t', 'SELECT * FROM "acme"/* x */.t'],
    ['SELECT * FROM "public".t, api.u', 'SELECT * FROM "acme".t, "acme_api".u'],
    ['SELECT "Public".t, x.public.y, publics.t', 'SELECT "Public".t, x.public.y, publics.t'],
    ['DECLARE x public.t%ROWTYPE', 'DECLARE x "acme".t%ROWTYPE'],
    ['GRANT SELECT ON public.t TO public', 'GRANT SELECT ON "acme".t TO public'],
    ['GRANT USAGE ON SCHEMA public TO public', 'GRANT USAGE ON SCHEMA "acme" TO public'],
    [
      'GRANT USAGE ON SCHEMA public, api TO anon, public',
      'GRANT USAGE ON SCHEMA "acme", "acme_api" TO anon, public',
    ],
    ['GRANT ALL ON ALL TABLES IN SCHEMA public TO anon', 'GRANT ALL ON ALL TABLES IN SCHEMA "acme" TO anon'],
    ['REVOKE ALL ON FUNCTION public.f() FROM public', 'REVOKE ALL ON FUNCTION "acme".f() FROM public'],
    ['DROP SCHEMA IF EXISTS public', 'DROP SCHEMA IF EXISTS "acme"'],
    ['ALTER TABLE t SET SCHEMA api', 'ALTER TABLE t SET SCHEMA "acme_api"'],
    ['CREATE EXTENSION x WITH SCHEMA extensions', 'CREATE EXTENSION x WITH SCHEMA extensions'],
    ['SET search_path = public, extensions', 'SET search_path = "acme", extensions'],
    [`SET search_path TO 'public', "$user", api`, `SET search_path TO "acme", "$user", "acme_api"`],
    [`SET search_path = ''`, `SET search_path = ''`],
    [
      'CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = public AS $$ SELECT public.g() $$',
      'CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = "acme" AS $$ SELECT "acme".g() $$',
    ],
    [
      `CREATE FUNCTION public.f() RETURNS int AS $f$ BEGIN EXECUTE $q$ SELECT public.g() $q$; RETURN 'public.x'; /* public.c */ END $f$`,
      `CREATE FUNCTION "acme".f() RETURNS int AS $f$ BEGIN EXECUTE $q$ SELECT "acme".g() $q$; RETURN 'public.x'; /* public.c */ END $f$`,
    ],
    ['DO $$ BEGIN PERFORM public.f(); END $$', 'DO $$ BEGIN PERFORM "acme".f(); END $$'],
    ['INSERT INTO t VALUES ($$ the public. Yes $$)', 'INSERT INTO t VALUES ($$ the public. Yes $$)'],
    [`SELECT 'public.t', E'public.\\'t' -- public.t`, `SELECT 'public.t', E'public.\\'t' -- public.t`],
    [
      'CREATE TABLE t (public int); SELECT public FROM t',
      'CREATE TABLE t (public int); SELECT public FROM t',
    ],
    ['SELECT public.t.id FROM public.t', 'SELECT "acme".t.id FROM "acme".t'],
    [`SELECT nextval('public.s'::regclass)`, `SELECT nextval('public.s'::regclass)`],
    ['CREATE FUNCTION f() AS $$ open public.t', 'CREATE FUNCTION f() AS $$ open public.t'],
  ])('%s', (sql, expected) => {
    expect(portable(sql)).toBe(expected);
  });

  test('names that need quotes have them', () => {
    expect(portable('SELECT public.t', new Map([['public', 'my-"app']]))).toBe('SELECT "my-""app".t');
  });

  test('without names of its own a project keeps its text', () => {
    expect(portable('SELECT public.t', new Map())).toBe('SELECT public.t');
  });

  test('literals, comments and quoted names that are no schema come out as they went in', () => {
    const piece = fc.constantFrom(
      'public.t',
      ' SCHEMA public ',
      "'public.t'",
      "'it''s public.'",
      "E'\\' public.'",
      '-- public.t\n',
      '/* public. /* api. */ */',
      '$x$ public.t $x$',
      '"public."',
      'GRANT ALL ON t TO public',
      ' api . u ',
      ',',
      '(',
      ')',
      ' DO ',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const sql = `SELECT ${pieces.join(' ')}`;
        const kept = (text: string) =>
          lexSql(text)
            .filter(
              ({ kind }) => kind === 'string' || kind === 'comment' || kind === 'dollar' || kind === 'space',
            )
            .map(({ text: part }) => part);
        expect(kept(portable(sql))).toEqual(kept(sql));
      }),
      { numRuns: 1_000 },
    );
  });

  test('rewriting twice is rewriting once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('public', '.', 't', ' ', 'schema', ',', "'x'", 'search_path', '='), {
          maxLength: 15,
        }),
        (parts) => {
          const sql = `SELECT ${parts.join(' ')}`;
          expect(portable(portable(sql))).toBe(portable(sql));
        },
      ),
    );
  });
});
