import type { EmbedPlan } from '../plan/read-plan.ts';
import { ident, raw, type SqlFragment, sql } from '../platform/sql.ts';
import { type AliasScope, columnOf, namedSource, type RowSource, relationSource } from './scope.ts';

/** How an embed's rows are found from its parent's row. */
export interface EmbedJoin {
  readonly source: RowSource;
  readonly from: SqlFragment;
  readonly conditions: readonly SqlFragment[];
}

/** An embed with the alias of its lateral join. */
export interface Joined {
  readonly embed: EmbedPlan;
  readonly alias: string;
}

/** The FROM and the join conditions of an embed: its relation under an alias, a junction, or a computed relationship. */
export function joinToParent(
  embed: EmbedPlan,
  context: { readonly parent: RowSource; readonly scope: AliasScope; readonly depth: number },
): EmbedJoin {
  const { relationship } = embed;
  const { parent, scope, depth } = context;
  const { target } = relationship;
  const alias = scope.relationAlias(target.name, depth);
  const source = relationSource(embed.read.relation, alias);
  if (relationship.kind === 'computed') {
    const { function: fn } = relationship;
    const row = parent.rowType === undefined ? sql`${parent.name}.*` : sql`${parent.name}::${parent.rowType}`;
    return {
      source,
      from: sql`${ident(fn.physicalSchema, fn.name)}(${row}) AS ${ident(alias)}`,
      conditions: [],
    };
  }
  const table = sql`${ident(target.physicalSchema, target.name)} AS ${ident(alias)}`;
  const { cardinality } = relationship;
  if (cardinality.kind !== 'm2m') {
    const conditions = cardinality.columns.map((pair) => equals(source, pair.target, parent, pair.source));
    return { source, from: table, conditions };
  }
  const { junction } = cardinality;
  const junctionAlias = scope.junctionAlias(junction.name);
  const junctionSource = namedSource(junctionAlias);
  const from = sql`${table}, ${ident(junction.physicalSchema, junction.name)} AS ${ident(junctionAlias)}`;
  return {
    source,
    from,
    conditions: [
      ...junction.targetColumns.map((pair) => equals(junctionSource, pair.target, source, pair.source)),
      ...junction.sourceColumns.map((pair) => equals(junctionSource, pair.target, parent, pair.source)),
    ],
  };
}

function equals(a: RowSource, columnA: string, b: RowSource, columnB: string): SqlFragment {
  return sql`${columnOf(a, columnA)}${raw(' = ')}${columnOf(b, columnB)}`;
}
