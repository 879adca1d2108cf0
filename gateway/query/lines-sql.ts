import { raw, type SqlFragment, type SqlStatement, sql } from '../platform/sql.ts';
import type { RoutineReturn } from '../schema-cache/schema-cache.ts';
import { type BodyKeys, ROWS } from './body-sql.ts';
import { objectText } from './keyed-json.ts';

const WISHES = `nullif(pg_catalog.current_setting('response.headers', true), ''), nullif(pg_catalog.current_setting('response.status', true), '')`;

/** What code before the main query wants of the response, for a stream without rows. */
export const WISHES_STATEMENT: SqlStatement = { text: `SELECT ${WISHES}`, values: [] };

/**
 * A row for each of the given rows: its JSON, as `json_agg` would write it, on one line. Outside of strings, where JSON has escapes for them, line breaks are blanks: a column of
 * type `json` keeps those it was written with.
 *
 * @param returns of the routine whose rows they are
 * @param keys of rows whose columns have neutral names
 */
export function linesSql(
  rows: SqlFragment,
  returns: RoutineReturn | undefined,
  keys: BodyKeys | undefined,
): SqlFragment {
  const isScalar = returns?.kind === 'scalar' || returns?.kind === 'void';
  const json = isScalar
    ? raw(`coalesce(pg_catalog.to_json(_postgrest_t.pgrst_scalar)::text, 'null')`)
    : keys === undefined
      ? raw('pg_catalog.row_to_json(_postgrest_t)::text')
      : objectText({ rows: ROWS, ...keys });
  const [before, after] = ['pg_catalog.replace(pg_catalog.replace(', `, E'\\n', ' '), E'\\r', ' ')`];
  return sql`SELECT ${raw(before)}${json}${raw(`${after} AS line, ${WISHES}`)} FROM (${rows}) _postgrest_t`;
}

/** Counts the rows of a `countSql`. */
export function totalSql(counted: SqlFragment): SqlFragment {
  return sql`SELECT pg_catalog.count(*) FROM (${counted}) _postgrest_t`;
}
