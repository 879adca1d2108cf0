import type { Cardinality, ColumnPair, RelationRef, Relationship } from './schema-cache.ts';

/**
 * The order in which PGRST201 lists relationships (E11): by target, then one-to-many, many-to-one, one-to-one,
 * many-to-many, then by constraint and columns or by junction; those made by functions come last.
 */
export function compareRelationships(a: Relationship, b: Relationship): number {
  if (a.kind === 'computed' || b.kind === 'computed') {
    if (a.kind !== b.kind) return a.kind === 'computed' ? 1 : -1;
    if (a.kind === 'computed' && b.kind === 'computed') {
      return compareRefs(a.function, b.function) || compareRefs(a.target, b.target);
    }
    return 0;
  }
  return (
    compareRefs(a.source, b.source) ||
    compareRefs(a.target, b.target) ||
    Number(a.isSelf) - Number(b.isSelf) ||
    compareCardinalities(a.cardinality, b.cardinality) ||
    Number(a.sourceIsView) - Number(b.sourceIsView) ||
    Number(a.targetIsView) - Number(b.targetIsView)
  );
}

const RANK = { o2m: 0, m2o: 1, o2o: 2, m2m: 3 } as const;

function compareCardinalities(a: Cardinality, b: Cardinality): number {
  if (a.kind === 'm2m' || b.kind === 'm2m' || a.kind !== b.kind) {
    if (a.kind !== 'm2m' || b.kind !== 'm2m') return RANK[a.kind] - RANK[b.kind];
    return (
      compareRefs(a.junction, b.junction) ||
      compareTexts(a.junction.sourceConstraint, b.junction.sourceConstraint) ||
      compareTexts(a.junction.targetConstraint, b.junction.targetConstraint) ||
      comparePairs(a.junction.sourceColumns, b.junction.sourceColumns) ||
      comparePairs(a.junction.targetColumns, b.junction.targetColumns)
    );
  }
  return (
    compareTexts(a.constraint, b.constraint) ||
    comparePairs(a.columns, b.columns) ||
    Number(a.kind === 'o2o' && a.isParent) - Number(b.kind === 'o2o' && b.isParent)
  );
}

function comparePairs(a: readonly ColumnPair[], b: readonly ColumnPair[]): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = compareTexts(a[i]!.source, b[i]!.source) || compareTexts(a[i]!.target, b[i]!.target);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareRefs(a: RelationRef, b: RelationRef): number {
  return compareTexts(a.schema, b.schema) || compareTexts(a.name, b.name);
}

/** By code unit: the order must not depend on the locale of the process. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
