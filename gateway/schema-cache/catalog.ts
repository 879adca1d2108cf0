import type { StatementResult } from '../platform/result-set.ts';
import { type CatalogRow, readNumberArray, readOptional, readText } from './row-reader.ts';
import type { RelationRef } from './schema-cache.ts';
import type { Slices } from './slices.ts';
import { getOrAdd } from './view-lineage.ts';

/** Oid as text; never leaves the loader. */
export type Oid = string;

/** A primary key, unique constraint or foreign key, its attnums in the order of the key. */
export interface Constraint {
  readonly kind: 'primary-key' | 'unique' | 'foreign-key';
  readonly name: string;
  readonly relation: Oid;
  readonly columns: readonly number[];
  /** The referenced side; `0` and empty for keys. */
  readonly target: Oid;
  readonly targetColumns: readonly number[];
}

/** A function from one row type to another's (E9), by the oids of the relations. */
export interface ComputedRelationship {
  readonly function: RelationRef;
  readonly source: Oid;
  readonly target: Oid;
  readonly toOne: boolean;
}

/** Lists of two or three grow best like this: an array that is pushed to has room for seventeen. */
interface Link {
  readonly constraint: Constraint;
  readonly next: Link | undefined;
}

/** The constraints of a catalog, by the relations at both of their ends. */
export class Constraints {
  readonly #byRelation = new Map<Oid, Link>();
  readonly #byTarget = new Map<Oid, Link>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Those that have any. */
  relations(): Iterable<Oid> {
    return this.#byRelation.keys();
  }

  add(constraint: Constraint): void {
    const { kind, relation, target } = constraint;
    this.#count++;
    this.#byRelation.set(relation, { constraint, next: this.#byRelation.get(relation) });
    if (kind === 'foreign-key') this.#byTarget.set(target, { constraint, next: this.#byTarget.get(target) });
  }

  primaryKeyOf(relation: Oid): Constraint | undefined {
    return linked(this.#byRelation.get(relation)).find(({ kind }) => kind === 'primary-key');
  }

  foreignKeysOf(relation: Oid): readonly Constraint[] {
    return linked(this.#byRelation.get(relation)).filter(({ kind }) => kind === 'foreign-key');
  }

  foreignKeysTo(relation: Oid): readonly Constraint[] {
    return linked(this.#byTarget.get(relation));
  }

  /** Whether exactly these columns, in whatever order, are the primary key or under a unique constraint. */
  isUnique(relation: Oid, columns: readonly number[]): boolean {
    const wanted = columnSet(columns);
    return linked(this.#byRelation.get(relation)).some(
      (constraint) => constraint.kind !== 'foreign-key' && columnSet(constraint.columns) === wanted,
    );
  }
}

function linked(first: Link | undefined): readonly Constraint[] {
  const constraints: Constraint[] = [];
  for (let link = first; link !== undefined; link = link.next) constraints.push(link.constraint);
  return constraints;
}

function columnSet(numbers: readonly number[]): string {
  return numbers.length === 1 ? String(numbers[0]) : numbers.toSorted((a, b) => a - b).join(',');
}

export async function constraintsFromRows(result: StatementResult, slices: Slices): Promise<Constraints> {
  const constraints = new Constraints();
  // The same few texts come with nearly every row; what is made of them is kept once.
  const oids = new Map<string, Oid>();
  const columnLists = new Map<string, readonly number[]>();
  const oidOf = (row: CatalogRow, index: number) => {
    const oid = readText(row, index);
    return getOrAdd(oids, oid, () => oid);
  };
  const columnsOf = (row: CatalogRow, index: number) =>
    getOrAdd(columnLists, readOptional(row, index) ?? '', () => readNumberArray(row, index));
  for (const row of result.rows) {
    if (slices.spend(1)) await slices.rest();
    const type = readText(row, 0);
    constraints.add({
      kind: type === 'p' ? 'primary-key' : type === 'u' ? 'unique' : 'foreign-key',
      name: readText(row, 1),
      relation: oidOf(row, 2),
      columns: columnsOf(row, 4),
      target: oidOf(row, 3),
      targetColumns: columnsOf(row, 5),
    });
  }
  return constraints;
}
