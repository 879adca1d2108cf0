import type { ApiRequest } from '../api-request/api-request.ts';
import type { MediaType } from '../api-request/media-type.ts';
import { GUARD_MARK, type GuardKind } from '../errors/guard-mark.ts';
import type { BodyHandler, DatabasePlan } from '../plan/action-plan.ts';
import type { Condition, PlannedField, ReadPlan } from '../plan/read-plan.ts';
import {
  compileSql,
  EMPTY_SQL,
  ident,
  quoteLiteral,
  raw,
  type SqlFragment,
  type SqlStatement,
  sql,
} from '../platform/sql.ts';
import { type PostgrestSettings, physicalSchema, type TenantNaming } from '../registry/tenant.ts';
import { accessibleObjectsStatement } from './accessible-objects.sql.ts';
import { bodySql, type RowShape } from './body-sql.ts';
import { callSql } from './call-sql.ts';
import { countSql } from './count-sql.ts';
import { explainOf } from './explain-sql.ts';
import { hookStatement } from './hook-sql.ts';
import { nextPlaceSql, PAGE, pageRowsSql } from './keyset-sql.ts';
import { linesSql, totalSql, WISHES_STATEMENT } from './lines-sql.ts';
import type { MainQuery } from './main-query.ts';
import { missingColumn } from './missing-column.ts';
import { bodyCteSql, INSERTED_COUNT, keyFaultsSql, mutateSql } from './mutate-sql.ts';
import { NeutralNames, type OutputNames, OWN_NAMES, shownColumns } from './output-names.ts';
import { readSql } from './read-sql.ts';
import { namedSource, type RowSource, relationSource } from './scope.ts';

export interface QueryContext {
  readonly naming: TenantNaming;
  readonly settings: PostgrestSettings;
}

/** Turns a plan into its statements. Everything a client sent is a bound value or a quoted name. */
export function buildMainQuery(plan: DatabasePlan, request: ApiRequest, context: QueryContext): MainQuery {
  const statements: SqlStatement[] = [];
  const { dbPreRequest } = context.settings;
  if (dbPreRequest !== undefined) statements.push(hookStatement(dbPreRequest, context.naming));
  const main = statements.length;
  if (plan.kind === 'inspect-root') {
    const { dbSchemas } = context.settings;
    statements.push(
      accessibleObjectsStatement(dbSchemas.map((name) => physicalSchema(context.naming, name))),
    );
    return { statements, main, explain: undefined };
  }
  if (isStreamed(plan)) return addLineStatements(plan, request, { statements, settings: context.settings });
  const { text, count } = mainSql(plan, request, context.settings);
  // An aggregate without GROUP BY: always one row.
  if (plan.explain === undefined) statements.push({ ...compileSql(text), isOneRow: true });
  else statements.push(compileSql(explainOf(text, plan.explain)));
  if (count === undefined || plan.explain !== undefined) return { statements, main, explain: undefined };
  statements.push(compileSql(sql`EXPLAIN (FORMAT JSON) ${count}`));
  return { statements, main, explain: statements.length - 1 };
}

/** Rows of a stream are a read or a call, and HEAD has none. */
function isStreamed(plan: RowsPlan): plan is LinesPlan {
  return plan.kind !== 'mutate' && isNdjson(plan.body) && !plan.headersOnly && plan.explain === undefined;
}

/** The statements of a stream, behind those that come before any main query. */
function addLineStatements(
  plan: LinesPlan,
  { preferences }: ApiRequest,
  into: { readonly statements: SqlStatement[]; readonly settings: PostgrestSettings },
): MainQuery {
  const { statements, settings } = into;
  const { read } = plan;
  const from = plan.kind === 'read' ? relationFrom(read) : sourceFrom(read, plan.routine.name);
  const indexes = { count: undefined as number | undefined, explain: undefined as number | undefined };
  // A function would have to be called twice.
  if (plan.kind === 'read' && preferences.count !== undefined) {
    const limit = preferences.count === 'estimated' ? overMaxRows(settings) : undefined;
    if (preferences.count !== 'planned') {
      indexes.count = statements.push(compileSql(totalSql(countSql(read, from, limit)))) - 1;
    }
    if (preferences.count !== 'exact') {
      const counted = countSql(read, from, undefined);
      indexes.explain = statements.push(compileSql(sql`EXPLAIN (FORMAT JSON) ${counted}`)) - 1;
    }
  }
  const names = outputNames(plan);
  const rows = readSql(read, from, names);
  const keys = names.isNeutral ? { columns: shownColumns(read), names } : undefined;
  const call = plan.kind === 'call' ? plan : undefined;
  const source = call === undefined ? EMPTY_SQL : sql`WITH pgrst_source AS (${calledSql(call)}) `;
  const main = statements.push(compileSql(sql`${source}${linesSql(rows, call?.routine.returns, keys)}`)) - 1;
  const wishes = statements.push(WISHES_STATEMENT) - 1;
  return { statements, main, explain: indexes.explain, lines: { count: indexes.count, wishes } };
}

type RowsPlan = Exclude<DatabasePlan, { kind: 'inspect-root' }>;
type LinesPlan = Extract<DatabasePlan, { kind: 'read' | 'call' }>;

/** The main statement, and the counting one whose plan is asked for (`count=planned|estimated`). */
function mainSql(
  plan: RowsPlan,
  request: ApiRequest,
  settings: PostgrestSettings,
): { readonly text: SqlFragment; readonly count: SqlFragment | undefined } {
  const shape: RowShape =
    plan.kind === 'call'
      ? { kind: 'routine', returns: plan.routine.returns }
      : { kind: 'rows', areSource: plan.kind === 'read' };
  const names = outputNames(plan);
  const keys = names.isNeutral ? { columns: shownColumns(plan.read), names } : undefined;
  const hasBody =
    plan.kind === 'mutate'
      ? plan.mutate.return === 'representation'
      : !plan.headersOnly || request.conditional !== undefined;
  const body = hasBody ? bodySql(plan.body, shape, keys) : raw(`''`);
  // A routine that returns one value gives one row, whatever its filters leave of it.
  const isSingle = plan.kind === 'call' && !plan.routine.returns.isSet;
  const counted = 'pg_catalog.count(_postgrest_t)';
  const guarded = guardSql(plan, raw(isSingle ? `greatest(${counted}, 1)` : counted));
  if (plan.kind === 'mutate') return { text: mutationSql(plan, { body, guarded, names }), count: undefined };

  const from = plan.kind === 'read' ? relationFrom(plan.read) : sourceFrom(plan.read, plan.routine.name);
  const total = countParts(plan, request, { settings, from });
  const source = plan.kind === 'read' ? readSql(plan.read, from, names) : calledSql(plan);
  if (plan.kind === 'read' && plan.read.keyset !== undefined) {
    const { limit } = plan.read.range;
    const text = sql`WITH ${PAGE.name} AS (${source}), pgrst_source AS (${pageRowsSql(limit)})${total.cte} SELECT ${total.total} AS total_result_set, ${guarded} AS page_total, ${body} AS body, ${GUC_COLUMNS}, NULL::text AS location, NULL::text AS inserted, ${nextPlaceSql(limit)} AS next_place FROM (SELECT * FROM pgrst_source) _postgrest_t`;
    return { text, count: total.explain };
  }
  const rows = plan.kind === 'call' ? readSql(plan.read, from, names) : raw('SELECT * FROM pgrst_source');
  const text = sql`WITH pgrst_source AS (${source})${total.cte} SELECT ${total.total} AS total_result_set, ${guarded} AS page_total, ${body} AS body, ${GUC_COLUMNS} FROM (${rows}) _postgrest_t`;
  return { text, count: total.explain };
}

/**
 * Names that a client gives are no part of a statement. Only what a tenant's own function makes of whole rows needs them as the columns' names.
 */
function outputNames({ read, body }: RowsPlan): OutputNames {
  if (!read.hasClientNames || body.kind !== 'builtin') return OWN_NAMES;
  const { kind } = body.media;
  return new NeutralNames({ packsRows: kind !== 'csv' && kind !== 'geojson' });
}

const GUC_COLUMNS = raw(
  `nullif(current_setting('response.headers', true), '') AS response_headers, nullif(current_setting('response.status', true), '') AS response_status`,
);

function mutationSql(
  plan: Extract<DatabasePlan, { kind: 'mutate' }>,
  { body, guarded, names }: { body: SqlFragment; guarded: SqlFragment; names: OutputNames },
): SqlFragment {
  const { mutate, read } = plan;
  const change = mutateSql(mutate);
  const rows =
    mutate.return === 'representation'
      ? readSql(read, sourceFrom(read, mutate.relation.name), names)
      : raw('SELECT * FROM pgrst_source');
  const location =
    mutate.locationColumns.length === 0
      ? raw('NULL::text')
      : raw(
          `CASE WHEN pg_catalog.count(_postgrest_t) = 1 THEN (SELECT json_build_array(${mutate.locationColumns
            .map(
              (name) =>
                `json_build_array(${quoteLiteral(name)}, to_json("pgrst_source".${ident(name).strings[0]!}) #>> '{}')`,
            )
            .join(', ')})::text FROM pgrst_source) END`,
        );
  const inserted = mutate.onConflict === undefined ? raw('NULL::text') : INSERTED_COUNT;
  return sql`WITH ${bodyCteSql(mutate)}pgrst_source AS (${change}) SELECT NULL::bigint AS total_result_set, ${guarded} AS page_total, ${body} AS body, ${GUC_COLUMNS}, ${location} AS location, ${inserted} AS inserted FROM (${rows}) _postgrest_t`;
}

/** The call's rows. What they are to carry for the answer is named in it, so that a column that is not there is missed here first. */
function calledSql({ call, read }: Extract<DatabasePlan, { kind: 'call' }>): SqlFragment {
  const fields = [...read.select, ...read.order].map(({ field }) => field);
  for (const { name, isKnown } of [...fields, ...read.where.flatMap(filteredFields)]) {
    if (isKnown || call.routine.returns.kind !== 'composite' || !call.returning.names.includes(name))
      continue;
    throw missingColumn(name, { alias: 'pgrst_call', columns: columnsOf(read) });
  }
  return callSql(call);
}

function filteredFields(condition: Condition): readonly PlannedField[] {
  if (condition.kind === 'logic') return condition.children.flatMap(filteredFields);
  if (condition.kind === 'columns') return [condition.field, condition.other];
  return condition.kind === 'filter' ? [condition.field] : [];
}

interface From {
  readonly source: RowSource;
  readonly sql: SqlFragment;
}

function relationFrom({ relation }: ReadPlan): From {
  const source = relationSource(relation, relation!.physicalSchema, relation!.name);
  return { source, sql: source.name };
}

/** Ends as the aliases of embeds do, one of which it could hide. */
const LIKE_AN_ALIAS = /_j?\d+$/;

/**
 * The rows that a mutation or a call left, under the relation's (or the routine's) name as PostgREST shows it in error texts. They have
 * no named type; computed relationships need the relation's.
 */
function sourceFrom(read: ReadPlan, routineName: string): From {
  const { relation } = read;
  const name = relation?.name ?? routineName;
  const source = namedSource(LIKE_AN_ALIAS.test(name) ? 'pgrst_source' : name);
  const rowType = relation === undefined ? undefined : ident(relation.physicalSchema, relation.name);
  const columns = columnsOf(read);
  return { source: { ...source, columns, rowType }, sql: sql`"pgrst_source" AS ${source.name}` };
}

function columnsOf({ relation, outputs }: ReadPlan): () => Iterable<string> {
  return () => relation?.columns.keys() ?? outputs ?? [];
}

const NO_TOTAL = raw('NULL::bigint');

/**
 * O7: exact counts all, estimated no further than one row past `db-max-rows`, planned asks the planner. There is no plan
 * of a function's rows, so a call counts all for an estimate, and nothing for a plan.
 */
function countParts(
  plan: Extract<DatabasePlan, { kind: 'read' | 'call' }>,
  request: ApiRequest,
  { settings, from }: { readonly settings: PostgrestSettings; readonly from: From },
): { readonly cte: SqlFragment; readonly total: SqlFragment; readonly explain: SqlFragment | undefined } {
  const { count } = request.preferences;
  const isCall = plan.kind === 'call';
  if (count === undefined || (isCall && count === 'planned')) {
    return { cte: raw(''), total: NO_TOTAL, explain: undefined };
  }
  const { read } = plan;
  const explain = count === 'exact' || isCall ? undefined : countSql(read, from, undefined);
  if (count === 'planned' && explain !== undefined) return { cte: raw(''), total: NO_TOTAL, explain };
  const limit = count === 'estimated' && !isCall ? overMaxRows(settings) : undefined;
  return {
    cte: sql`, pgrst_source_count AS (${countSql(read, from, limit)})`,
    total: raw('(SELECT pg_catalog.count(*) FROM pgrst_source_count)'),
    explain,
  };
}

/** An estimate counts so far and no further. */
function overMaxRows({ dbMaxRows }: PostgrestSettings): number | undefined {
  return dbMaxRows === undefined ? undefined : dbMaxRows + 1;
}

/** The row count, behind the checks that must undo the transaction when they fail. */
function guardSql(plan: RowsPlan, count: SqlFragment): SqlFragment {
  if (plan.explain !== undefined) return count;
  const checks: SqlFragment[] = [];
  const faults = plan.kind === 'mutate' ? keyFaultsSql(plan.mutate) : undefined;
  if (faults !== undefined) {
    checks.push(guard('null-key', sql`${faults.nulls} > 0`, faults.nulls));
    checks.push(guard('same-key', sql`${faults.repeated} > 0`, faults.repeated));
  }
  if (plan.kind === 'mutate' && plan.mutate.mutation === 'single-upsert') {
    checks.push(guard('put', sql`${count} <> 1`, count));
  }
  if (wantsOneRow(plan)) checks.push(guard('singular', sql`${count} <> 1`, count));
  const maxAffected =
    plan.kind === 'mutate'
      ? plan.mutate.maxAffected
      : plan.kind === 'call'
        ? plan.call.maxAffected
        : undefined;
  if (maxAffected !== undefined) {
    checks.push(guard('max-affected', sql`${count} > ${maxAffected}::bigint`, count));
  }
  if (checks.length === 0) return count;
  return checks.reduceRight<SqlFragment>((rest, check) => sql`CASE ${check} ELSE ${rest} END`, count);
}

function guard(kind: GuardKind, condition: SqlFragment, count: SqlFragment): SqlFragment {
  return sql`WHEN ${condition} THEN ('${raw(`${GUARD_MARK}${kind}:`)}' || ${count})::bigint`;
}

/** A singular media type asks for exactly one row; a routine that returns one value always gives one. */
function wantsOneRow(plan: RowsPlan): boolean {
  if (!isObject(plan.body)) return false;
  return plan.kind !== 'call' || plan.routine.returns.isSet;
}

function isNdjson(body: BodyHandler): boolean {
  return body.kind === 'builtin' && body.media.kind === 'ndjson';
}

function isObject(body: BodyHandler): boolean {
  const media: MediaType = body.media;
  return body.kind === 'builtin' && media.kind === 'object';
}
