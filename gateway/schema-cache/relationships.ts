import type { ComputedRelationship, Constraint, Oid } from './catalog.ts';
import { compareRelationships } from './relationship-order.ts';
import {
  type ColumnPair,
  type Relation,
  type RelationRef,
  type Relationship,
  relationKey,
} from './schema-cache.ts';
import { getOrAdd, type ViewLineage } from './view-lineage.ts';

export interface RelationshipFacts {
  /** Exposed relations; relationships lead from one of these to another. */
  readonly relations: ReadonlyMap<Oid, Relation>;
  readonly constraints: readonly Constraint[];
  readonly lineages: ReadonlyMap<Oid, ViewLineage>;
  /** Names of the views' columns: view → attnum → name. */
  readonly columnNames: ReadonlyMap<Oid, ReadonlyMap<number, string>>;
  readonly computed: readonly ComputedRelationship[];
}

type ForeignKeyRelationship = Extract<Relationship, { kind: 'foreign-key' }>;

/** One way of seeing one side of a foreign key: the table itself, or a view that shows all of the key's columns. */
interface Side {
  readonly relation: Relation;
  readonly columns: readonly string[];
  readonly isView: boolean;
}

/**
 * All relationships between exposed relations, in both directions, by the relation they start from and in the order of
 * E11: from foreign keys (E2), handed on by views (E4), through junctions (E3), by functions (E9).
 */
export function buildRelationships(facts: RelationshipFacts): ReadonlyMap<string, readonly Relationship[]> {
  const toOne = directRelationships(facts);
  const all: Relationship[] = [...toOne, ...toOne.map(inverse), ...manyToMany(toOne, facts.relations)];
  return groupBySource(withComputed(all, computedRelationships(facts)));
}

/** Relationships as their foreign keys point: many-to-one, and one-to-one from the side with the key. */
function directRelationships(facts: RelationshipFacts): readonly ForeignKeyRelationship[] {
  const uniqueSets = uniqueColumnSets(facts.constraints);
  const viewsOver = viewsByTable(facts.lineages);
  const relationships: ForeignKeyRelationship[] = [];
  for (const key of facts.constraints) {
    if (key.kind !== 'foreign-key') continue;
    const isOneToOne = uniqueSets.get(key.relation)?.has(columnSet(key.columnNumbers)) ?? false;
    const targets = sides(facts, viewsOver, key.target, key.targetColumnNumbers, key.targetColumns);
    if (targets.length === 0) continue;
    for (const source of sides(facts, viewsOver, key.relation, key.columnNumbers, key.columns)) {
      for (const target of targets) {
        const columns = source.columns.map(
          (column, i): ColumnPair => ({ source: column, target: target.columns[i]! }),
        );
        relationships.push({
          kind: 'foreign-key',
          source: toRef(source.relation),
          target: toRef(target.relation),
          isSelf: source.relation === target.relation,
          cardinality: isOneToOne
            ? { kind: 'o2o', constraint: key.name, columns, isParent: false }
            : { kind: 'm2o', constraint: key.name, columns },
          sourceIsView: source.isView,
          targetIsView: target.isView,
        });
      }
    }
  }
  return relationships;
}

/** The table, if exposed, and every exposed view with all key columns, once for each way of choosing them. */
function sides(
  facts: RelationshipFacts,
  viewsOver: ReadonlyMap<Oid, readonly Oid[]>,
  table: Oid,
  columnNumbers: readonly number[],
  columns: readonly string[],
): readonly Side[] {
  const found: Side[] = [];
  const own = facts.relations.get(table);
  if (own !== undefined) found.push({ relation: own, columns, isView: false });
  for (const view of viewsOver.get(table) ?? []) {
    const relation = facts.relations.get(view);
    const shown = facts.lineages.get(view)?.get(table);
    const names = facts.columnNames.get(view);
    if (relation === undefined || shown === undefined || names === undefined) continue;
    const choices = columnNumbers.map((number) =>
      (shown.get(number) ?? []).map((position) => names.get(position)).filter((name) => name !== undefined),
    );
    for (const choice of combinations(choices)) found.push({ relation, columns: choice, isView: true });
  }
  return found;
}

function viewsByTable(lineages: ReadonlyMap<Oid, ViewLineage>): ReadonlyMap<Oid, readonly Oid[]> {
  const views = new Map<Oid, Oid[]>();
  for (const [view, lineage] of lineages) {
    for (const table of lineage.keys()) getOrAdd(views, table, () => []).push(view);
  }
  return views;
}

function uniqueColumnSets(constraints: readonly Constraint[]): ReadonlyMap<Oid, ReadonlySet<string>> {
  const sets = new Map<Oid, Set<string>>();
  for (const constraint of constraints) {
    if (constraint.kind === 'foreign-key') continue;
    getOrAdd(sets, constraint.relation, () => new Set<string>()).add(columnSet(constraint.columnNumbers));
  }
  return sets;
}

function columnSet(numbers: readonly number[]): string {
  return numbers.toSorted((a, b) => a - b).join(',');
}

function inverse(relationship: ForeignKeyRelationship): ForeignKeyRelationship {
  const { cardinality } = relationship;
  if (cardinality.kind === 'm2m') return relationship;
  const columns = cardinality.columns.map(({ source, target }) => ({ source: target, target: source }));
  const { constraint } = cardinality;
  return {
    kind: 'foreign-key',
    source: relationship.target,
    target: relationship.source,
    isSelf: relationship.isSelf,
    cardinality:
      cardinality.kind === 'o2o'
        ? { kind: 'o2o', constraint, columns, isParent: true }
        : { kind: 'o2m', constraint, columns },
    sourceIsView: relationship.targetIsView,
    targetIsView: relationship.sourceIsView,
  };
}

/** Through each relation whose primary key holds the columns of two of its foreign keys. */
function manyToMany(
  toOne: readonly ForeignKeyRelationship[],
  relations: ReadonlyMap<Oid, Relation>,
): readonly ForeignKeyRelationship[] {
  const primaryKeys = new Map<string, ReadonlySet<string>>();
  for (const { schema, name, primaryKey } of relations.values()) {
    primaryKeys.set(relationKey(schema, name), new Set(primaryKey));
  }
  const candidates = new Map<string, ForeignKeyRelationship[]>();
  for (const relationship of toOne) {
    const { source, cardinality } = relationship;
    if (cardinality.kind !== 'm2o') continue;
    const key = relationKey(source.schema, source.name);
    const primaryKey = primaryKeys.get(key);
    if (primaryKey === undefined || !cardinality.columns.every((pair) => primaryKey.has(pair.source)))
      continue;
    getOrAdd(candidates, key, () => []).push(relationship);
  }
  const found: ForeignKeyRelationship[] = [];
  for (const fromJunction of candidates.values()) {
    for (const left of fromJunction) {
      for (const right of fromJunction) {
        const joined = join(left, right);
        if (joined !== undefined) found.push(joined);
      }
    }
  }
  return found;
}

/** Two keys of one junction; `undefined` when they are one and the same foreign key. */
function join(
  left: ForeignKeyRelationship,
  right: ForeignKeyRelationship,
): ForeignKeyRelationship | undefined {
  const [a, b] = [left.cardinality, right.cardinality];
  if (a.kind !== 'm2o' || b.kind !== 'm2o' || a.constraint === b.constraint) return undefined;
  return {
    kind: 'foreign-key',
    source: left.target,
    target: right.target,
    isSelf: isSame(left.target, right.target),
    cardinality: {
      kind: 'm2m',
      junction: {
        ...left.source,
        sourceConstraint: a.constraint,
        targetConstraint: b.constraint,
        sourceColumns: a.columns.map(({ source, target }) => ({ source: target, target: source })),
        targetColumns: b.columns.map(({ source, target }) => ({ source: target, target: source })),
      },
    },
    sourceIsView: left.targetIsView,
    targetIsView: right.targetIsView,
  };
}

function computedRelationships(facts: RelationshipFacts): readonly Relationship[] {
  const found: Relationship[] = [];
  for (const computed of facts.computed) {
    const source = facts.relations.get(computed.source);
    const target = facts.relations.get(computed.target);
    if (source === undefined || target === undefined) continue;
    found.push({
      kind: 'computed',
      source: toRef(source),
      target: toRef(target),
      isSelf: source === target,
      function: computed.function,
      toOne: computed.toOne,
      argumentType: toRef(source),
    });
  }
  return found;
}

/** A function takes the place of detected relationships to a relation that is called like it. */
function withComputed(
  detected: readonly Relationship[],
  computed: readonly Relationship[],
): readonly Relationship[] {
  const overridden = new Set<string>();
  for (const relationship of computed) {
    if (relationship.kind === 'computed')
      overridden.add(directionKey(relationship.source, relationship.function));
  }
  const kept = detected.filter(({ source, target }) => !overridden.has(directionKey(source, target)));
  return [...kept, ...computed];
}

function groupBySource(relationships: readonly Relationship[]): ReadonlyMap<string, readonly Relationship[]> {
  const groups = new Map<string, Relationship[]>();
  for (const relationship of relationships) {
    const key = relationKey(relationship.source.schema, relationship.source.name);
    getOrAdd(groups, key, () => []).push(relationship);
  }
  for (const group of groups.values()) group.sort(compareRelationships);
  return groups;
}

/** Every way of taking one item of each list. */
function combinations(lists: readonly (readonly string[])[]): readonly (readonly string[])[] {
  let found: readonly (readonly string[])[] = [[]];
  for (const list of lists) found = found.flatMap((chosen) => list.map((item) => [...chosen, item]));
  return found;
}

function directionKey(source: RelationRef, target: RelationRef): string {
  return `${relationKey(source.schema, source.name)}\0${relationKey(target.schema, target.name)}`;
}

function isSame(a: RelationRef, b: RelationRef): boolean {
  return a.schema === b.schema && a.name === b.name;
}

function toRef({ schema, physicalSchema, name }: RelationRef): RelationRef {
  return { schema, physicalSchema, name };
}
