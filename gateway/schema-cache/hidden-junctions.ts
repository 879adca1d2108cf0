import type { Constraint, Constraints, Oid } from './catalog.ts';
import { hiddenJunctionKey, type Relation } from './schema-cache.ts';
import { getOrAdd, type ViewLineage } from './view-lineage.ts';

/** The many-to-many relationships of exposed relations through tables that are not exposed, as `SchemaCache.hiddenJunctions`. */
export function findHiddenJunctions(
  relations: ReadonlyMap<Oid, Relation>,
  constraints: Constraints,
  lineages: ReadonlyMap<Oid, ViewLineage>,
): ReadonlySet<string> {
  const found = new Set<string>();
  const keysOf = new Map<Oid, readonly Constraint[]>();
  for (const relation of constraints.relations()) {
    const primaryKey = relations.has(relation) ? undefined : constraints.primaryKeyOf(relation);
    if (primaryKey === undefined) continue;
    const isPart = ({ columns }: Constraint) =>
      columns.every((column) => primaryKey.columns.includes(column));
    keysOf.set(relation, constraints.foreignKeysOf(relation).filter(isPart));
  }
  const viewsOver = new Map<Oid, Oid[]>();
  if (keysOf.size > 0) {
    for (const [view, lineage] of lineages) {
      for (const table of lineage.keys()) getOrAdd(viewsOver, table, () => []).push(view);
    }
  }
  const shownAs = (table: Oid): readonly Relation[] =>
    [table, ...(viewsOver.get(table) ?? [])]
      .map((oid) => relations.get(oid))
      .filter((relation) => relation !== undefined);
  for (const keys of keysOf.values()) {
    for (const left of keys) {
      for (const right of keys) {
        if (left.name === right.name) continue;
        for (const source of shownAs(left.target)) {
          for (const { schema } of shownAs(right.target)) {
            found.add(hiddenJunctionKey(source, schema));
          }
        }
      }
    }
  }
  return found;
}
