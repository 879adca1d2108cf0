import type { Constraint, Oid } from './catalog.ts';
import { hiddenJunctionKey, type Relation } from './schema-cache.ts';
import { getOrAdd, type ViewLineage } from './view-lineage.ts';

/** The many-to-many relationships of exposed relations through tables that are not exposed, as `SchemaCache.hiddenJunctions`. */
export function findHiddenJunctions(
  relations: ReadonlyMap<Oid, Relation>,
  constraints: readonly Constraint[],
  lineages: ReadonlyMap<Oid, ViewLineage>,
): ReadonlySet<string> {
  const hidden = constraints.filter(({ relation }) => !relations.has(relation));
  const found = new Set<string>();
  if (hidden.length === 0) return found;
  const primaryKeys = new Map<Oid, ReadonlySet<number>>();
  for (const { kind, relation, columnNumbers } of hidden) {
    if (kind === 'primary-key') primaryKeys.set(relation, new Set(columnNumbers));
  }
  const keysOf = new Map<Oid, Constraint[]>();
  for (const key of hidden) {
    const primaryKey = key.kind === 'foreign-key' ? primaryKeys.get(key.relation) : undefined;
    if (primaryKey !== undefined && key.columnNumbers.every((number) => primaryKey.has(number))) {
      getOrAdd(keysOf, key.relation, () => []).push(key);
    }
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
