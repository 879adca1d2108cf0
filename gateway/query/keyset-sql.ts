import type { KeysetPlan } from '../plan/read-plan.ts';
import { joinSql, raw, type SqlFragment, sql } from '../platform/sql.ts';
import { limitSql } from './limit-sql.ts';

type Key = KeysetPlan['keys'][number];

/**
 * The condition for rows behind the cursor's, or `undefined` on the first page. Where the order goes one way and no NULL can come behind a value it is one row comparison, which
 * PostgreSQL turns into the place in an index where the page begins. Any other order is spelled out term by term, behind a bound on the first one that an index can use.
 *
 * @param values the expressions that rows are ordered by, one for each key
 */
export function keysetCondition(
  { keys, after }: KeysetPlan,
  values: readonly SqlFragment[],
): SqlFragment | undefined {
  if (after === undefined) return undefined;
  if (isRowComparable(keys, after)) {
    const comparison = raw(keys[0]!.isDescending ? '<' : '>');
    if (keys.length === 1) return sql`${values[0]!} ${comparison} ${after[0]!}`;
    const bound = after.map((value) => sql`${value}`);
    return sql`(${joinSql(values, ', ')}) ${comparison} (${joinSql(bound, ', ')})`;
  }
  const terms = keys.map((key, i) => ({ key, column: values[i]!, value: after[i]! }));
  let condition: SqlFragment | undefined;
  for (const term of terms.toReversed()) {
    const isBehind = behindSql(term);
    condition =
      condition === undefined ? isBehind : sql`(${isBehind} OR (${sameSql(term)} AND ${condition}))`;
  }
  return keys.length === 1 ? condition : sql`${notBeforeSql(terms[0]!)} AND ${condition!}`;
}

function isRowComparable(keys: readonly Key[], after: readonly (string | null)[]): boolean {
  const { isDescending } = keys[0]!;
  return keys.every(
    (key, i) => key.isDescending === isDescending && after[i] !== null && !(key.isNullable && key.nullsLast),
  );
}

interface Term {
  readonly key: Key;
  readonly column: SqlFragment;
  readonly value: string | null;
}

function behindSql({ key, column, value }: Term): SqlFragment {
  if (value === null) return key.nullsLast ? raw('FALSE') : sql`${column} IS NOT NULL`;
  const isBehind = sql`${column} ${raw(key.isDescending ? '<' : '>')} ${value}`;
  return key.isNullable && key.nullsLast ? sql`(${isBehind} OR ${column} IS NULL)` : isBehind;
}

function sameSql({ column, value }: Term): SqlFragment {
  return value === null ? sql`${column} IS NULL` : sql`${column} = ${value}`;
}

/** At the cursor's place or behind it, as far as this term says. */
function notBeforeSql({ key, column, value }: Term): SqlFragment {
  if (value === null) return key.nullsLast ? sql`${column} IS NULL` : raw('TRUE');
  const isNotBefore = sql`${column} ${raw(key.isDescending ? '<=' : '>=')} ${value}`;
  return key.isNullable && key.nullsLast ? sql`(${isNotBefore} OR ${column} IS NULL)` : isNotBefore;
}

/** Names of a page's CTE: the row as it is shown, and its place. */
export const PAGE = { name: raw('pgrst_page'), row: raw('pgrst_row'), place: raw('pgrst_place') } as const;

/** A row's place in the order, as JSON of texts: what a cursor holds. */
export function placeSql(values: readonly SqlFragment[]): SqlFragment {
  const texts = values.map((value) => sql`${value}::text`);
  return sql`json_build_array(${joinSql(texts, ', ')})::text`;
}

/** The rows of the page's CTE, which holds one more than is wanted, as the read would have given them. */
export function pageRowsSql(limit: number | undefined): SqlFragment {
  return sql`SELECT (${PAGE.row}).* FROM ${PAGE.name}${limitSql(limit)}`;
}

/** The place of the page's last row, if rows follow it. */
export function nextPlaceSql(limit: number | undefined): SqlFragment {
  if (limit === undefined || limit === 0) return raw('NULL::text');
  const last = sql`(SELECT ${PAGE.place} FROM ${PAGE.name} OFFSET ${limit - 1} LIMIT 1)`;
  return sql`CASE WHEN (SELECT pg_catalog.count(*) FROM ${PAGE.name}) > ${limit}::bigint THEN ${last} END`;
}
