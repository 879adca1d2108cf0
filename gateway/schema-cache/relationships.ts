import type { ComputedRelationship, Constraint, Constraints, Oid } from './catalog.ts';
import type { PictureWeight } from './picture-weight.ts';
import { compareRelationships } from './relationship-order.ts';
import {
  type ColumnPair,
  type RelationRef,
  type Relationship,
  type Relationships,
  relationKey,
} from './schema-cache.ts';
import { getOrAdd, type ViewLineage } from './view-lineage.ts';

/** What of a relation its relationships depend on. */
export interface RelatedRelation {
  readonly oid: Oid;
  /** The same object each time. */
  readonly ref: RelationRef;
  readonly primaryKey: readonly string[];
  columnName(attnum: number): string | undefined;
}

export interface RelationshipFacts {
  /** Exposed relations; relationships lead from one of these to another. */
  readonly relations: ReadonlyMap<Oid, RelatedRelation>;
  /** The same by `relationKey(schema, name)`. */
  readonly relationsByKey: ReadonlyMap<string, RelatedRelation>;
  readonly constraints: Constraints;
  readonly lineages: ReadonlyMap<Oid, ViewLineage>;
  readonly computed: readonly ComputedRelationship[];
  readonly weight: PictureWeight;
}

type ForeignKeyRelationship = Extract<Relationship, { kind: 'foreign-key' }>;

/** One way of seeing one side of a foreign key: the table itself, or a view that shows all of the key's columns. */
interface Side {
  readonly oid: Oid;
  readonly relation: RelatedRelation;
  readonly columns: readonly string[];
  readonly isView: boolean;
}

/** A relationship as its foreign key points, and where it comes from. */
interface Pointing {
  readonly source: Oid;
  readonly relationship: ForeignKeyRelationship;
}

/** Measured: two refs are shared, the columns and the cardinality are not. */
const BYTES_A_RELATIONSHIP = 290;

/**
 * The relationships of exposed relations, in both directions, in the order of E11: from foreign keys (E2), handed on by views (E4),
 * through junctions (E3), by functions (E9). Those of one relation are worked out when they are first asked for, from the keys at it: a
 * catalog with thousands of relations has tens of thousands of relationships, and requests use a few.
 */
export class CatalogRelationships implements Relationships {
  readonly #facts: RelationshipFacts;
  readonly #viewsOver: ReadonlyMap<Oid, readonly Oid[]>;
  readonly #known = new Map<string, readonly Relationship[] | undefined>();

  constructor(facts: RelationshipFacts) {
    this.#facts = facts;
    this.#viewsOver = viewsByTable(facts.lineages);
  }

  get(key: string): readonly Relationship[] | undefined {
    const known = this.#known.get(key);
    if (known !== undefined || this.#known.has(key)) return known;
    const relation = this.#facts.relationsByKey.get(key);
    if (relation === undefined) return undefined;
    const found = this.#relationshipsOf(relation.oid);
    const kept = found.length === 0 ? undefined : found;
    this.#known.set(key, kept);
    this.#facts.weight.add(found.length * BYTES_A_RELATIONSHIP);
    return kept;
  }

  #relationshipsOf(oid: Oid): readonly Relationship[] {
    const from = this.#pointingFrom(oid);
    const to = this.#pointingTo(oid);
    const all: Relationship[] = [
      ...from.map(({ relationship }) => relationship),
      ...to.map(({ relationship }) => inverse(relationship)),
      ...this.#manyToMany(to),
    ];
    return withComputed(all, this.#computedFrom(oid)).toSorted(compareRelationships);
  }

  /** Foreign keys of the relation: many-to-one, or one-to-one from the side with the key. */
  #pointingFrom(oid: Oid): readonly Pointing[] {
    return this.#tablesOf(oid).flatMap((table) =>
      this.#facts.constraints
        .foreignKeysOf(table)
        .flatMap((key) =>
          this.#pair(key, this.#sidesAt(oid, table, key.columns), this.#sides(key.target, key.targetColumns)),
        ),
    );
  }

  /** Foreign keys that refer to the relation, as they point. */
  #pointingTo(oid: Oid): readonly Pointing[] {
    return this.#tablesOf(oid).flatMap((table) =>
      this.#facts.constraints
        .foreignKeysTo(table)
        .flatMap((key) =>
          this.#pair(
            key,
            this.#sides(key.relation, key.columns),
            this.#sidesAt(oid, table, key.targetColumns),
          ),
        ),
    );
  }

  #pair(key: Constraint, sources: readonly Side[], targets: readonly Side[]): readonly Pointing[] {
    if (sources.length === 0 || targets.length === 0) return [];
    const isOneToOne = this.#facts.constraints.isUnique(key.relation, key.columns);
    return sources.flatMap((source) =>
      targets.map((target) => ({
        source: source.oid,
        relationship: pointing(key, source, target, isOneToOne),
      })),
    );
  }

  /** The relation itself, and the tables and views that it shows columns of. */
  #tablesOf(oid: Oid): readonly Oid[] {
    const lineage = this.#facts.lineages.get(oid);
    return lineage === undefined ? [oid] : [oid, ...lineage.keys()];
  }

  /** The table, if exposed, and every exposed view with all key columns, once for each way of choosing them. */
  #sides(table: Oid, columns: readonly number[]): readonly Side[] {
    const views = this.#viewsOver.get(table) ?? [];
    return [table, ...views].flatMap((oid) => this.#sidesAt(oid, table, columns));
  }

  /** How one relation, the table or a view over it, shows a key of the table. */
  #sidesAt(oid: Oid, table: Oid, columns: readonly number[]): readonly Side[] {
    const relation = this.#facts.relations.get(oid);
    if (relation === undefined) return [];
    if (oid === table) {
      const names = columns.map((column) => relation.columnName(column) ?? '');
      return [{ oid, relation, columns: names, isView: false }];
    }
    const shown = this.#facts.lineages.get(oid)?.get(table);
    if (shown === undefined) return [];
    const choices = columns.map((column) =>
      (shown.get(column) ?? [])
        .map((position) => relation.columnName(position))
        .filter((name) => name !== undefined),
    );
    return combinations(choices).map((names) => ({ oid, relation, columns: names, isView: true }));
  }

  /** Through each relation whose primary key holds the columns of two of its foreign keys, of which one leads here. */
  #manyToMany(to: readonly Pointing[]): readonly ForeignKeyRelationship[] {
    const fromJunction = new Map<Oid, readonly ForeignKeyRelationship[]>();
    return to.flatMap(({ source, relationship: left }) => {
      if (!this.#isPartOfKey(source, left)) return [];
      const rights = getOrAdd(fromJunction, source, () =>
        this.#pointingFrom(source)
          .map(({ relationship }) => relationship)
          .filter((relationship) => this.#isPartOfKey(source, relationship)),
      );
      return rights.map((right) => join(left, right)).filter((joined) => joined !== undefined);
    });
  }

  #isPartOfKey(source: Oid, { cardinality }: ForeignKeyRelationship): boolean {
    const primaryKey = this.#facts.relations.get(source)?.primaryKey;
    return (
      primaryKey !== undefined &&
      cardinality.kind === 'm2o' &&
      cardinality.columns.every((pair) => primaryKey.includes(pair.source))
    );
  }

  #computedFrom(oid: Oid): readonly Relationship[] {
    const { relations, computed } = this.#facts;
    return computed.flatMap((by): Relationship[] => {
      const [source, target] = [relations.get(by.source)?.ref, relations.get(by.target)?.ref];
      if (by.source !== oid || source === undefined || target === undefined) return [];
      return [
        {
          kind: 'computed',
          source,
          target,
          isSelf: source === target,
          function: by.function,
          toOne: by.toOne,
          argumentType: source,
        },
      ];
    });
  }
}

function pointing(key: Constraint, source: Side, target: Side, isOneToOne: boolean): ForeignKeyRelationship {
  const columns = source.columns.map(
    (column, i): ColumnPair => ({ source: column, target: target.columns[i]! }),
  );
  return {
    kind: 'foreign-key',
    source: source.relation.ref,
    target: target.relation.ref,
    isSelf: source.relation === target.relation,
    cardinality: isOneToOne
      ? { kind: 'o2o', constraint: key.name, columns, isParent: false }
      : { kind: 'm2o', constraint: key.name, columns },
    sourceIsView: source.isView,
    targetIsView: target.isView,
  };
}

function viewsByTable(lineages: ReadonlyMap<Oid, ViewLineage>): ReadonlyMap<Oid, readonly Oid[]> {
  const views = new Map<Oid, Oid[]>();
  for (const [view, lineage] of lineages) {
    for (const table of lineage.keys()) getOrAdd(views, table, () => []).push(view);
  }
  return views;
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

/** A function takes the place of detected relationships to a relation that is called like it. */
function withComputed(
  detected: readonly Relationship[],
  computed: readonly Relationship[],
): readonly Relationship[] {
  if (computed.length === 0) return detected;
  const overridden = new Set(
    computed.map((relationship) =>
      relationship.kind === 'computed'
        ? relationKey(relationship.function.schema, relationship.function.name)
        : '',
    ),
  );
  const kept = detected.filter(({ target }) => !overridden.has(relationKey(target.schema, target.name)));
  return [...kept, ...computed];
}

/** Every way of taking one item of each list. */
function combinations(lists: readonly (readonly string[])[]): readonly (readonly string[])[] {
  let found: readonly (readonly string[])[] = [[]];
  for (const list of lists) found = found.flatMap((chosen) => list.map((item) => [...chosen, item]));
  return found;
}

function isSame(a: RelationRef, b: RelationRef): boolean {
  return a.schema === b.schema && a.name === b.name;
}
