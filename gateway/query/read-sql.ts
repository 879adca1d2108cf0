import type { ItemRange } from '../api-request/range.ts';
import type { EmbedPlan, PlannedOrder, ReadPlan, SelectTerm } from '../plan/read-plan.ts';
import { EMPTY_SQL, ident, joinSql, raw, type SqlFragment, sql } from '../platform/sql.ts';
import { fieldSql, plainValueSql, termValueSql } from './field-sql.ts';
import { conditionSql, type EmbedTest, whereSql } from './filter-sql.ts';
import { type Joined, joinToParent } from './join-sql.ts';
import { objectJsonb } from './keyed-json.ts';
import { keysetCondition, PAGE, placeSql } from './keyset-sql.ts';
import { limitSql } from './limit-sql.ts';
import {
  type OutputNames,
  refuseAmbiguous,
  type ShownColumn,
  shownAs,
  shownColumns,
  WHOLE_ROW,
} from './output-names.ts';
import { AliasScope, columnOf, type RowSource } from './scope.ts';
import { spreadColumnsSql } from './spread-sql.ts';

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
 * @param names of the columns that are shown
 */
export function readSql(
  plan: ReadPlan,
  from: { readonly source: RowSource; readonly sql: SqlFragment },
  names: OutputNames,
): SqlFragment {
  return levelSql(plan, {
    source: from.source,
    from: from.sql,
    parentName: plan.relation?.name ?? 'pgrst_call',
    depth: 0,
    scope: new AliasScope(names),
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
  const { names } = scope;
  const nameOf = names.ofLevel();
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
        ? sql`${rawAggregateInput(term, source)} AS ${nameOf(term.alias ?? term.aggregate.fn)}`
        : selectTermSql(term, source, { names, nameOf }),
      isAggregate,
      isGroupedUncast(term) ? columnOf(source, term.field.name) : undefined,
    );
  }
  for (const join of joined) {
    if (join.embed.isEmpty) continue;
    if (join.embed.isSpread) {
      for (const lifted of spreadColumnsSql(join, { isRaw: level.isRaw, names, nameOf })) {
        add(lifted.sql, lifted.isAggregate);
      }
    } else add(embedColumnSql(join, plan, { names, nameOf }), false);
  }
  for (const extra of level.extraColumns) add(extra, false);
  const laterals = joined.map((join) => lateralSql(join, { plan, level }));
  const embedTest: EmbedTest = (index, isNull) =>
    sql`${embedValue(joined[index]!)} IS ${raw(isNull ? 'NOT DISTINCT' : 'DISTINCT')} FROM NULL`;
  const conditions = plan.where.map((condition) =>
    conditionSql(condition, { source, parent: level.parent, embedTest }),
  );
  const orderBy = orderSql(plan.order, source, joined, names);
  // An embed that shows nothing must still tell a row from none; a root without columns gives empty objects.
  const list = columns.length === 0 && level.depth > 0 ? raw('1 AS "pgrst_exists"') : joinSql(columns, ', ');
  if (plan.keyset !== undefined) {
    const values = orderValues(plan.order, source, joined, names);
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

interface LevelNames {
  readonly names: OutputNames;
  readonly nameOf: (key: ShownColumn) => SqlFragment;
}

/** One output column of a select list. */
function selectTermSql(term: SelectTerm, source: RowSource, { names, nameOf }: LevelNames): SqlFragment {
  const key = shownAs(term);
  if (key !== WHOLE_ROW) return sql`${termValueSql(term, source)} AS ${nameOf(key)}`;
  return names.packsRows
    ? sql`pg_catalog.row_to_json(${source.name}.*) AS ${nameOf(key)}`
    : termValueSql(term, source);
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
function isLifted({ isSpread, read }: EmbedPlan): boolean {
  return isSpread && shownColumns(read).length > 0;
}

function embedColumnSql(
  { embed, alias }: Joined,
  parent: ReadPlan,
  { names, nameOf }: LevelNames,
): SqlFragment {
  const name = nameOf(embed.name);
  if (embed.cardinality === 'to-many') {
    return sql`COALESCE(${ident(alias, AGGREGATE_COLUMN)}, '[]') AS ${name}`;
  }
  if (names.isNeutral) {
    const rows = ident(alias);
    const object = objectJsonb({ rows, columns: shownColumns(embed.read), names });
    return sql`CASE WHEN ${rows} IS DISTINCT FROM NULL THEN ${object} END AS ${name}`;
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
  const { names } = level.scope;
  const depth = level.depth + 1;
  const child = joinToParent(embed, { parent: level.source, scope: level.scope, depth });
  const extraColumns = orderedColumns(plan, embed).map(
    (position) =>
      sql`${fieldSql(plan.order[position]!.field, child.source)} AS ${ident(orderColumn(position))}`,
  );
  const select = levelSql(embed.read, {
    source: child.source,
    from: child.from,
    parentName: embed.target,
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
    const liftedName = names.ofLevel();
    const shown = shownColumns(embed.read);
    if (names.isNeutral) refuseAmbiguous(shown);
    const aggregated = shown.map((key) => {
      const column = liftedName(key);
      return sql`COALESCE(json_agg(${name}.${column}), '[]')::jsonb AS ${column}`;
    });
    aggregated.push(raw(`nullif(pg_catalog.count(*), 0) AS "${ROWS_COLUMN}"`));
    const having = embed.join === 'inner' ? raw(' HAVING pg_catalog.count(*) > 0') : EMPTY_SQL;
    return sql`${kind}(SELECT ${joinSql(aggregated, ', ')} FROM (${select}) AS ${name}${having}) AS ${name} ON TRUE`;
  }
  const on = embed.join === 'inner' ? sql`${ident(alias, AGGREGATE_COLUMN)} IS NOT NULL` : raw('TRUE');
  const array = names.isNeutral
    ? sql`pg_catalog.jsonb_agg(${objectJsonb({ rows: name, columns: shownColumns(embed.read), names })})`
    : sql`json_agg(${name})::jsonb`;
  return sql`${kind}(SELECT ${array} AS ${ident(AGGREGATE_COLUMN)} FROM (${select}) AS ${name}) AS ${name} ON ${on}`;
}

function orderSql(
  order: readonly PlannedOrder[],
  source: RowSource,
  joined: readonly Joined[],
  names: OutputNames,
): SqlFragment {
  if (order.length === 0) return EMPTY_SQL;
  const values = orderValues(order, source, joined, names);
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
  names: OutputNames,
): SqlFragment[] {
  return order.map((term, index) => {
    if (term.embed === undefined) return fieldSql(term.field, source);
    const { embed, alias } = joined[term.embed]!;
    if (!isShown(term, embed)) return sql`${ident(alias, orderColumn(index))}`;
    const { name } = term.field;
    if (names.isNeutral) refuseAmbiguous(shownColumns(embed.read), name);
    return sql`${ident(alias)}.${names.ofLevel()(name)}`;
  });
}

/** The offset is a parameter, so that pages of one read share a statement. */
export function rangeSql({ limit, offset }: ItemRange): SqlFragment {
  return offset === 0 ? limitSql(limit) : sql`${limitSql(limit)} OFFSET ${offset}`;
}
