import type { ItemRange } from '../api-request/range.ts';
import type { EmbedPlan, PlannedOrder, ReadPlan } from '../plan/read-plan.ts';
import { EMPTY_SQL, ident, joinSql, raw, type SqlFragment, sql } from '../platform/sql.ts';
import { fieldSql, plainValueSql, selectTermSql } from './field-sql.ts';
import { conditionSql, type EmbedTest, whereSql } from './filter-sql.ts';
import { type Joined, joinToParent } from './join-sql.ts';
import { keysetCondition, PAGE, placeSql } from './keyset-sql.ts';
import { limitSql } from './limit-sql.ts';
import { AliasScope, columnOf, namedSource, type RowSource } from './scope.ts';
import { liftedColumns, spreadColumnsSql } from './spread-sql.ts';

/** Column of an embed's lateral join that holds the JSON of a to-many embed. */
const AGGREGATE_COLUMN = 'agg';

/** Column of a to-many spread's lateral join that is NULL when it has no rows: its arrays never are. */
const ROWS_COLUMN = 'pgrst_rows';

/** Extra column of a to-one embed that parents are ordered by; taken out of the JSON again. */
const orderColumn = (index: number): string => `pgrst_order_${index}`;

/**
 * The SELECT of a read: one level, its embeds as lateral joins.
 *
 * @param from the root's rows: the relation itself, or `pgrst_source` behind a mutation or a call
 */
export function readSql(
  plan: ReadPlan,
  from: { readonly source: RowSource; readonly sql: SqlFragment },
): SqlFragment {
  return levelSql(plan, {
    source: from.source,
    from: from.sql,
    parentName: plan.relation?.name ?? 'pgrst_call',
    depth: 0,
    scope: new AliasScope(),
    conditions: [],
    parent: undefined,
    isRaw: false,
    extraColumns: [],
  });
}

interface Level {
  readonly source: RowSource;
  readonly from: SqlFragment;
  readonly parentName: string;
  /** The row that embeds this one. */
  readonly parent: RowSource | undefined;
  readonly depth: number;
  readonly scope: AliasScope;
  /** Join conditions of an embed. */
  readonly conditions: readonly SqlFragment[];
  /** A to-one spread: aggregates are left to the parent. */
  readonly isRaw: boolean;
  readonly extraColumns: readonly SqlFragment[];
}

function levelSql(plan: ReadPlan, level: Level): SqlFragment {
  const { source, scope, parentName } = level;
  const joined = plan.embeds.map((embed) => ({ embed, alias: scope.lateralAlias(parentName, embed) }));
  const columns: SqlFragment[] = [];
  /** For GROUP BY, nearly always positions (from 1), since parameters never compare equal. */
  const grouped: SqlFragment[] = [];
  let isGrouped = false;
  const add = (column: SqlFragment, isAggregate: boolean, group?: SqlFragment): void => {
    columns.push(column);
    if (isAggregate) isGrouped = true;
    else grouped.push(group ?? raw(String(columns.length)));
  };
  for (const term of plan.select) {
    const isAggregate = term.aggregate !== undefined && !level.isRaw;
    add(
      term.aggregate !== undefined && level.isRaw
        ? sql`${rawAggregateInput(term, source)} AS ${ident(term.alias ?? term.aggregate.fn)}`
        : selectTermSql(term, source),
      isAggregate,
      isGroupedUncast(term) ? columnOf(source, term.field.name) : undefined,
    );
  }
  for (const join of joined) {
    if (join.embed.isEmpty) continue;
    if (join.embed.isSpread) {
      for (const lifted of spreadColumnsSql(join, level.isRaw)) add(lifted.sql, lifted.isAggregate);
    } else add(embedColumnSql(join, plan), false);
  }
  for (const extra of level.extraColumns) add(extra, false);
  const laterals = joined.map((join) => lateralSql(join, { plan, level }));
  const embedTest: EmbedTest = (index, isNull) =>
    sql`${embedValue(joined[index]!)} IS ${raw(isNull ? 'NOT DISTINCT' : 'DISTINCT')} FROM NULL`;
  const conditions = plan.where.map((condition) =>
    conditionSql(condition, { source, parent: level.parent, embedTest }),
  );
  const orderBy = orderSql(plan.order, source, joined);
  // An embed that shows nothing must still tell a row from none; a root without columns gives empty objects.
  const list = columns.length === 0 && level.depth > 0 ? raw('1 AS "pgrst_exists"') : joinSql(columns, ', ');
  if (plan.keyset !== undefined) {
    const values = orderValues(plan.order, source, joined);
    const behind = keysetCondition(plan.keyset, values);
    if (behind !== undefined) conditions.push(behind);
    const { limit } = plan.range;
    // One more than wanted tells whether there is a next page.
    const bound = limit === undefined || limit === 0 ? plan.range : { offset: 0, limit: limit + 1 };
    return sql`SELECT pgrst_shown AS ${PAGE.row}, ${placeSql(values)} AS ${PAGE.place} FROM ${level.from}${joinSql(laterals, '')} CROSS JOIN LATERAL (SELECT ${list}) AS pgrst_shown${whereSql([...level.conditions, ...conditions])}${orderBy}${rangeSql(bound)}`;
  }
  const groupBy = isGrouped && grouped.length > 0 ? sql` GROUP BY ${joinSql(grouped, ', ')}` : EMPTY_SQL;
  return sql`SELECT ${list} FROM ${level.from}${joinSql(laterals, '')}${whereSql([...level.conditions, ...conditions])}${groupBy}${orderBy}${rangeSql(plan.range)}`;
}

/** A cast column under its own name is grouped by before the cast, as PostgREST does; json has no equality before it. */
function isGroupedUncast({ field, alias, cast }: ReadPlan['select'][number]): boolean {
  return cast !== undefined && alias === field.name && field.path.length === 0 && field.baseType !== 'json';
}

function rawAggregateInput(term: ReadPlan['select'][number], source: RowSource): SqlFragment {
  return term.field.name === '*' ? raw('1') : plainValueSql(term, source);
}

/** The expression that is NULL when an embed has no rows. */
function embedValue({ embed, alias }: Joined): SqlFragment {
  if (embed.cardinality === 'to-one') return ident(alias);
  return ident(alias, isLifted(embed) ? ROWS_COLUMN : AGGREGATE_COLUMN);
}

/** A to-many spread that has columns to lift: its lateral join has an array of each instead of one of rows. */
function isLifted(embed: EmbedPlan): boolean {
  return embed.isSpread && liftedColumns(embed).length > 0;
}

function embedColumnSql({ embed, alias }: Joined, parent: ReadPlan): SqlFragment {
  const name = ident(embed.name);
  if (embed.cardinality === 'to-many') {
    return sql`COALESCE(${ident(alias, AGGREGATE_COLUMN)}, '[]') AS ${name}`;
  }
  const hidden = orderedColumns(parent, embed).map((index) => raw(` - '${orderColumn(index)}'`));
  return sql`row_to_json(${ident(alias)}.*)::jsonb${joinSql(hidden, '')} AS ${name}`;
}

/** Indexes of the parent's order terms that look at a column which this embed does not show. */
function orderedColumns(parent: ReadPlan, embed: EmbedPlan): number[] {
  return parent.order.flatMap((term, index) =>
    term.embed !== undefined && parent.embeds[term.embed] === embed && !isShown(term, embed) ? [index] : [],
  );
}

/** What an embed shows is ordered by its output name, as PostgREST does; and a spread's can then be grouped by. */
function isShown({ field }: PlannedOrder, { read }: EmbedPlan): boolean {
  if (field.path.length > 0) return false;
  return read.select.some((term) =>
    term.alias === undefined
      ? term.field.name === '*' && (read.relation?.columns.has(field.name) ?? false)
      : term.alias === field.name && term.aggregate === undefined,
  );
}

function lateralSql(
  join: Joined,
  { plan, level }: { readonly plan: ReadPlan; readonly level: Level },
): SqlFragment {
  const { embed, alias } = join;
  const depth = level.depth + 1;
  const child = joinToParent(embed, { parent: level.source, scope: level.scope, depth });
  const extraColumns = orderedColumns(plan, embed).map(
    (position) =>
      sql`${fieldSql(plan.order[position]!.field, child.source)} AS ${ident(orderColumn(position))}`,
  );
  const select = levelSql(embed.read, {
    source: child.source,
    from: child.from,
    parentName: embed.name,
    parent: level.source,
    depth,
    scope: level.scope,
    conditions: child.conditions,
    isRaw: embed.isSpread && embed.cardinality === 'to-one',
    extraColumns,
  });
  const kind = raw(embed.join === 'inner' ? ' INNER JOIN LATERAL ' : ' LEFT JOIN LATERAL ');
  const name = ident(alias);
  if (embed.cardinality === 'to-one') return sql`${kind}(${select}) AS ${name} ON TRUE`;
  if (isLifted(embed)) {
    const aggregated = liftedColumns(embed).map(
      (column) => sql`COALESCE(json_agg(${ident(alias, column)}), '[]')::jsonb AS ${ident(column)}`,
    );
    aggregated.push(raw(`nullif(pg_catalog.count(*), 0) AS "${ROWS_COLUMN}"`));
    const having = embed.join === 'inner' ? raw(' HAVING pg_catalog.count(*) > 0') : EMPTY_SQL;
    return sql`${kind}(SELECT ${joinSql(aggregated, ', ')} FROM (${select}) AS ${name}${having}) AS ${name} ON TRUE`;
  }
  const on = embed.join === 'inner' ? sql`${ident(alias, AGGREGATE_COLUMN)} IS NOT NULL` : raw('TRUE');
  return sql`${kind}(SELECT json_agg(${name})::jsonb AS ${ident(AGGREGATE_COLUMN)} FROM (${select}) AS ${name}) AS ${name} ON ${on}`;
}

function orderSql(order: readonly PlannedOrder[], source: RowSource, joined: readonly Joined[]): SqlFragment {
  if (order.length === 0) return EMPTY_SQL;
  const values = orderValues(order, source, joined);
  const terms = order.map((term, index) => {
    const value = values[index]!;
    const direction = term.direction === undefined ? '' : ` ${term.direction.toUpperCase()}`;
    const nulls = term.nulls === undefined ? '' : ` NULLS ${term.nulls.toUpperCase()}`;
    return sql`${value}${raw(direction + nulls)}`;
  });
  return sql` ORDER BY ${joinSql(terms, ', ')}`;
}

/** The expressions that rows are ordered by, without directions. */
function orderValues(
  order: readonly PlannedOrder[],
  source: RowSource,
  joined: readonly Joined[],
): SqlFragment[] {
  return order.map((term, index) =>
    term.embed === undefined ? fieldSql(term.field, source) : embedOrderSql(term, index, joined[term.embed]!),
  );
}

function embedOrderSql(term: PlannedOrder, index: number, { embed, alias }: Joined): SqlFragment {
  return columnOf(namedSource(alias), isShown(term, embed) ? term.field.name : orderColumn(index));
}

/** The offset is a parameter, so that pages of one read share a statement. */
export function rangeSql({ limit, offset }: ItemRange): SqlFragment {
  return offset === 0 ? limitSql(limit) : sql`${limitSql(limit)} OFFSET ${offset}`;
}
