import type { TargetEntry } from './node-tree.ts';

/** A view's plain columns, as its own query names them: `position` is also the column's attnum. */
export interface ViewSource {
  readonly view: string;
  readonly entries: readonly TargetEntry[];
}

/** For one view: base table's oid → its attnum → attnums of the view's columns that show it, lowest first. */
export type ViewLineage = ReadonlyMap<string, ReadonlyMap<number, readonly number[]>>;

/**
 * Follows each view's columns down to the tables they come from, through views over views.
 *
 * @param sources all views that a chain may pass through
 * @returns view by view, its oid and its lineage; each level of a chain counts, so a view over a view shows the table's columns too
 */
export function* traceViews(sources: readonly ViewSource[]): Generator<readonly [view: string, ViewLineage]> {
  const direct = new Map<string, Map<number, TargetEntry>>();
  for (const { view, entries } of sources) {
    direct.set(view, new Map(entries.map((entry) => [entry.position, entry])));
  }
  for (const [view, entries] of direct) yield [view, traceView(entries, direct)];
}

function traceView(
  entries: ReadonlyMap<number, TargetEntry>,
  direct: ReadonlyMap<string, ReadonlyMap<number, TargetEntry>>,
): ViewLineage {
  const lineage = new Map<string, Map<number, number[]>>();
  for (const position of [...entries.keys()].sort((a, b) => a - b)) {
    let origin = entries.get(position);
    // PostgreSQL forbids views that contain themselves, but CREATE OR REPLACE has let it happen
    const seen = new Set<string>();
    while (origin !== undefined && !seen.has(origin.originRelation)) {
      seen.add(origin.originRelation);
      const columns = getOrAdd(lineage, origin.originRelation, () => new Map<number, number[]>());
      getOrAdd(columns, origin.originColumn, () => []).push(position);
      origin = direct.get(origin.originRelation)?.get(origin.originColumn);
    }
  }
  return lineage;
}

export function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const existing = map.get(key);
  if (existing !== undefined) return existing;
  const made = make();
  map.set(key, made);
  return made;
}
