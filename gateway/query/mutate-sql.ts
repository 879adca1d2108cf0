import type { MutatePlan, PayloadColumn, Returning } from '../plan/mutate-plan.ts';
import {
  EMPTY_SQL,
  ident,
  joinSql,
  quoteIdent,
  quoteLiteral,
  raw,
  type SqlFragment,
  sql,
} from '../platform/sql.ts';
import type { Relation } from '../schema-cache/schema-cache.ts';
import { type ConditionScope, conditionSql, whereSql } from './filter-sql.ts';
import { missingColumn } from './missing-column.ts';
import { columnOf, namedSource, type RowSource, relationSource } from './scope.ts';

const BODY: RowSource = namedSource('pgrst_body');

/** The data-modifying statement that becomes the CTE `pgrst_source`. */
export function mutateSql(plan: MutatePlan): SqlFragment {
  const table = ident(plan.relation.physicalSchema, plan.relation.name);
  const returning = returningSql(plan.returning, plan.relation);
  switch (plan.mutation) {
    case 'create':
    case 'single-upsert':
      return insertSql(plan, table, returning);
    case 'update':
      return updateSql(plan, table, returning);
    case 'delete':
      return sql`DELETE FROM ${table}${rootWhere(plan, targetOf(plan.relation))}${returning}`;
  }
}

function targetOf(relation: Relation): RowSource {
  return relationSource(relation, relation.physicalSchema, relation.name);
}

function rootWhere(plan: MutatePlan, source: RowSource): SqlFragment {
  return whereSql(plan.where.map((condition) => conditionSql(condition, aloneIn(source))));
}

function aloneIn(source: RowSource): ConditionScope {
  return { source, parent: undefined, embedTest: noEmbeds };
}

function noEmbeds(): never {
  throw new Error('a mutation has no embeds to test');
}

function insertSql(plan: MutatePlan, table: SqlFragment, returning: SqlFragment): SqlFragment {
  const { columns, onConflict } = plan;
  const countsInserts = onConflict?.resolution === 'merge-duplicates';
  const conditions =
    plan.mutation === 'single-upsert'
      ? plan.where.map((condition) => conditionSql(condition, aloneIn(BODY)))
      : [];
  if (countsInserts) conditions.push(raw(`${countInserted(1)} <> '0'`));
  const where = whereSql(conditions);
  const conflict = conflictSql(plan);
  if (columns.length === 0) {
    if (!plan.body?.isArray) return sql`INSERT INTO ${table} DEFAULT VALUES${conflict}${returning}`;
    return sql`INSERT INTO ${table} SELECT FROM json_array_elements(${plan.body.text}::json) pgrst_body${where}${conflict}${returning}`;
  }
  const names = raw(columns.map((column) => quoteIdent(column.name)).join(', '));
  const values = joinSql(columns.map(payloadValue), ', ');
  return sql`INSERT INTO ${table}(${names}) SELECT ${values} FROM ${bodyRows(plan)}${where}${conflict}${returning}`;
}

/** `NULL`-safe counter in a transaction variable: a conflict's update takes back what the row's insert counted (W6). */
function countInserted(step: 1 | -1): string {
  return `set_config('pgrst.inserted', (coalesce(nullif(current_setting('pgrst.inserted', true), '')::int, 0) + ${step})::text, true)`;
}

export const INSERTED_COUNT: SqlFragment = raw(`nullif(current_setting('pgrst.inserted', true), '')`);

function conflictSql({ onConflict, columns, relation }: MutatePlan): SqlFragment {
  if (onConflict === undefined) return EMPTY_SQL;
  const missing = onConflict.columns.find((name) => !relation.columns.has(name));
  if (missing !== undefined) throw missingColumn(missing, targetOf(relation), false);
  const target = raw(onConflict.columns.map((name) => quoteIdent(name)).join(', '));
  if (onConflict.resolution === 'ignore-duplicates' || columns.length === 0) {
    return sql` ON CONFLICT(${target}) DO NOTHING`;
  }
  const sets = columns.map(({ name }) => `${quoteIdent(name)} = EXCLUDED.${quoteIdent(name)}`).join(', ');
  return sql` ON CONFLICT(${target}) DO UPDATE SET ${raw(sets)} WHERE ${raw(countInserted(-1))} <> '-1'`;
}

function updateSql(plan: MutatePlan, table: SqlFragment, returning: SqlFragment): SqlFragment {
  const { columns, relation } = plan;
  const source = targetOf(relation);
  if (columns.length === 0) {
    // Nothing to set: PostgREST answers as for no rows, with the columns that the response needs.
    const list = plan.returning.all
      ? sql`${table}.*`
      : joinSql(
          [raw('1 AS "pgrst_none"'), ...plan.returning.names.map((name) => columnOf(source, name))],
          ', ',
        );
    return sql`SELECT ${list} FROM ${table} WHERE false`;
  }
  if (plan.updateKey !== undefined) return updateByKeySql(plan, plan.updateKey, returning);
  const sets = joinSql(
    columns.map((column) => sql`${ident(column.name)} = ${payloadValue(column)}`),
    ', ',
  );
  return sql`UPDATE ${table} SET ${sets} FROM ${bodyRows(plan)}${rootWhere(plan, source)}${returning}`;
}

/** Name of the CTE that holds the body of an update by key, a row for each object. */
const UPDATES = raw('pgrst_updates');

function updateByKeySql(plan: MutatePlan, key: readonly string[], returning: SqlFragment): SqlFragment {
  const source = targetOf(plan.relation);
  const changed = plan.columns.filter(({ name }) => !key.includes(name));
  const sets = changed.map(({ name }) => sql`${ident(name)} = ${columnOf(BODY, name)}`);
  const matches = key.map((name) => sql`${columnOf(source, name)} = ${columnOf(BODY, name)}`);
  const conditions = plan.where.map((condition) => conditionSql(condition, aloneIn(source)));
  return sql`UPDATE ${source.name} SET ${joinSql(sets, ', ')} FROM ${UPDATES} AS ${BODY.name}${whereSql([...matches, ...conditions])}${returning}`;
}

/** What comes before the CTE of the statement: the body of an update by key, which its guards look at as well. */
export function bodyCteSql(plan: MutatePlan): SqlFragment {
  if (plan.updateKey === undefined || plan.columns.length === 0) return EMPTY_SQL;
  const values = plan.columns.map((column) => sql`${payloadValue(column)} AS ${ident(column.name)}`);
  return sql`${UPDATES} AS (SELECT ${joinSql(values, ', ')} FROM ${bodyRows(plan)}), `;
}

/** Number of objects of an update by key that lack a value for it, and of keys that several have. */
export function keyFaultsSql(
  plan: MutatePlan,
): { readonly nulls: SqlFragment; readonly repeated: SqlFragment } | undefined {
  if (plan.updateKey === undefined || plan.columns.length === 0) return undefined;
  const key = plan.updateKey.map((name) => ident(name));
  const nulls = joinSql(
    key.map((name) => sql`${name} IS NULL`),
    ' OR ',
  );
  return {
    nulls: sql`(SELECT pg_catalog.count(*) FROM ${UPDATES} WHERE ${nulls})`,
    repeated: sql`(SELECT pg_catalog.count(*) FROM (SELECT FROM ${UPDATES} GROUP BY ${joinSql(key, ', ')} HAVING pg_catalog.count(*) > 1) repeated)`,
  };
}

function payloadValue(column: PayloadColumn): SqlFragment {
  const value = columnOf(BODY, column.name);
  return column.representation === undefined ? value : sql`${raw(column.representation)}(${value})`;
}

/** The body, one parameter, as rows of the columns' types. Updates take the first row only, unless they are by key. */
function bodyRows(plan: MutatePlan): SqlFragment {
  const { columns } = plan;
  const body = plan.body!;
  const hasDefaults = plan.appliesDefaults && columns.some((column) => column.default !== undefined);
  // `missing=default` reads jsonb even where no column has a default: of keys given twice the last counts then.
  const json = plan.appliesDefaults ? 'jsonb' : 'json';
  const list = raw(columns.map((column) => quoteIdent(column.name)).join(', '));
  const record = raw(columns.map((column) => `${quoteIdent(column.name)} ${column.type}`).join(', '));
  const toRows = raw(`${json}_to_record${body.isArray ? 'set' : ''}`);
  const isFirstOnly = plan.mutation === 'update' && plan.updateKey === undefined;
  const limit = isFirstOnly ? raw(' LIMIT 1') : EMPTY_SQL;
  const payload = sql`(SELECT ${body.text}::${raw(json)} AS json_data) pgrst_payload`;
  const data = hasDefaults ? raw('pgrst_defaults.json_data') : raw('pgrst_payload.json_data');
  const defaults = hasDefaults ? sql`, ${defaultsSql(plan)}` : EMPTY_SQL;
  return sql`${payload}${defaults}, LATERAL (SELECT ${list} FROM ${toRows}(${data}) AS _(${record})${limit}) pgrst_body`;
}

/** Puts each column's default under the given keys (W4); evaluated per element, so that sequences advance. */
function defaultsSql(plan: MutatePlan): SqlFragment {
  const pairs = plan.columns
    .filter((column) => column.default !== undefined)
    .map((column) => `${quoteLiteral(column.name)}, ${column.default}`)
    .join(', ');
  const merged = `jsonb_build_object(${pairs})`;
  return plan.body!.isArray
    ? raw(
        `LATERAL (SELECT coalesce(jsonb_agg(${merged} || element), '[]') AS json_data FROM jsonb_array_elements(pgrst_payload.json_data) element) pgrst_defaults`,
      )
    : raw(`LATERAL (SELECT ${merged} || pgrst_payload.json_data AS json_data) pgrst_defaults`);
}

function returningSql(returning: Returning, relation: Relation): SqlFragment {
  return sql` RETURNING ${returningList(returning, targetOf(relation))}`;
}

/** Column list for the rows' representation; `1` when only their number matters. */
export function returningList(returning: Returning, source: RowSource): SqlFragment {
  const names = returning.names.map((name) => columnOf(source, name));
  if (returning.all) return joinSql([sql`${source.name}.*`, ...names], ', ');
  return names.length === 0 ? raw('1') : joinSql(names, ', ');
}
