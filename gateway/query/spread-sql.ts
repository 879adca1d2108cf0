import type { EmbedPlan, PlannedAggregate } from '../plan/read-plan.ts';
import { ident, type SqlFragment, sql } from '../platform/sql.ts';
import { aggregateSql } from './field-sql.ts';
import type { Joined } from './join-sql.ts';
import {
  type OutputNames,
  refuseAmbiguous,
  type ShownColumn,
  shownColumns,
  WHOLE_ROW,
} from './output-names.ts';

interface SpreadNames {
  /** The parent is itself being lifted. */
  readonly isRaw: boolean;
  readonly names: OutputNames;
  /** Of the parent's columns. */
  readonly nameOf: (key: ShownColumn) => SqlFragment;
}

/**
 * The parent's columns for a spread embed. A to-one spread's aggregates are applied here, over the parent's groups;
 * when the parent is itself being lifted (`isRaw`) they go on upwards.
 */
export function spreadColumnsSql(
  { embed, alias }: Joined,
  { isRaw, names, nameOf }: SpreadNames,
): { readonly sql: SqlFragment; readonly isAggregate: boolean }[] {
  const columns: { sql: SqlFragment; isAggregate: boolean }[] = [];
  const aggregates = embed.cardinality === 'to-one' && !isRaw ? liftedAggregates(embed) : undefined;
  const rows = ident(alias);
  const shown = shownColumns(embed.read);
  if (names.isNeutral) refuseAmbiguous(shown);
  const liftedName = names.ofLevel();
  for (const key of shown) {
    if (key === WHOLE_ROW && !names.packsRows) {
      columns.push({ sql: sql`${rows}.*`, isAggregate: false });
      continue;
    }
    const name = nameOf(key);
    const column = sql`${rows}.${liftedName(key)}`;
    const aggregate = aggregates?.get(key);
    columns.push(
      aggregate === undefined
        ? { sql: sql`${column} AS ${name}`, isAggregate: false }
        : { sql: sql`${aggregateSql(aggregate, column, false)} AS ${name}`, isAggregate: true },
    );
  }
  return columns;
}

function liftedAggregates(embed: EmbedPlan): Map<ShownColumn, PlannedAggregate> {
  const found = new Map<ShownColumn, PlannedAggregate>();
  for (const term of embed.read.select) {
    if (term.aggregate !== undefined) found.set(term.alias ?? term.aggregate.fn, term.aggregate);
  }
  for (const nested of embed.read.embeds) {
    if (!nested.isSpread || nested.cardinality !== 'to-one') continue;
    for (const [key, aggregate] of liftedAggregates(nested)) found.set(key, aggregate);
  }
  return found;
}
