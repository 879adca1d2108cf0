import type { EmbedPlan } from '../plan/read-plan.ts';
import { ident, type SqlFragment, sql } from '../platform/sql.ts';
import { aggregateSql } from './field-sql.ts';
import type { Joined } from './join-sql.ts';

/** Names of the columns that a spread embed lifts into its parent, nested spreads included. */
export function liftedColumns(embed: EmbedPlan): string[] {
  const names = embed.read.select.map((term) => term.alias ?? term.field.name);
  for (const nested of embed.read.embeds) {
    if (nested.isEmpty) continue;
    if (nested.isSpread) names.push(...liftedColumns(nested));
    else names.push(nested.name);
  }
  return names;
}

/**
 * The parent's columns for a spread embed. A to-one spread's aggregates are applied here, over the parent's groups;
 * when the parent is itself being lifted (`isRaw`) they go on upwards.
 */
export function spreadColumnsSql(
  { embed, alias }: Joined,
  isRaw: boolean,
): { readonly sql: SqlFragment; readonly isAggregate: boolean }[] {
  const columns: { sql: SqlFragment; isAggregate: boolean }[] = [];
  const aggregates = embed.cardinality === 'to-one' && !isRaw ? liftedAggregates(embed) : undefined;
  for (const name of liftedColumns(embed)) {
    const column = ident(alias, name);
    const aggregate = aggregates?.get(name);
    columns.push(
      aggregate === undefined
        ? {
            sql: name === '*' ? sql`${ident(alias)}.*` : sql`${column} AS ${ident(name)}`,
            isAggregate: false,
          }
        : { sql: sql`${aggregateSql(aggregate, column, false)} AS ${ident(name)}`, isAggregate: true },
    );
  }
  return columns;
}

function liftedAggregates(
  embed: EmbedPlan,
): Map<string, NonNullable<EmbedPlan['read']['select'][number]['aggregate']>> {
  const found = new Map<string, NonNullable<EmbedPlan['read']['select'][number]['aggregate']>>();
  for (const term of embed.read.select) {
    if (term.aggregate !== undefined) found.set(term.alias ?? term.aggregate.fn, term.aggregate);
  }
  for (const nested of embed.read.embeds) {
    if (!nested.isSpread || nested.cardinality !== 'to-one') continue;
    for (const [name, aggregate] of liftedAggregates(nested)) found.set(name, aggregate);
  }
  return found;
}
