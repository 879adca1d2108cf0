import type { StatementResult } from '../platform/result-set.ts';
import { readNumberArray, readText } from './row-reader.ts';
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

/** The constraints of a catalog, by the relations at both of their ends. */
export class Constraints {
  readonly #byRelation = new Map<Oid, Constraint[]>();
  readonly #byTarget = new Map<Oid, Constraint[]>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Those that have any. */
  relations(): Iterable<Oid> {
    return this.#byRelation.keys();
  }

  add(constraint: Constraint): void {
    this.#count++;
    getOrAdd(this.#byRelation, constraint.relation, () => []).push(constraint);
    if (constraint.kind === 'foreign-key')
      getOrAdd(this.#byTarget, constraint.target, () => []).push(constraint);
  }

  primaryKeyOf(relation: Oid): Constraint | undefined {
    return this.#byRelation.get(relation)?.find(({ kind }) => kind === 'primary-key');
  }

  foreignKeysOf(relation: Oid): readonly Constraint[] {
    return this.#byRelation.get(relation)?.filter(({ kind }) => kind === 'foreign-key') ?? [];
  }

  foreignKeysTo(relation: Oid): readonly Constraint[] {
    return this.#byTarget.get(relation) ?? [];
  }

  /** Whether exactly these columns, in whatever order, are the primary key or under a unique constraint. */
  isUnique(relation: Oid, columns: readonly number[]): boolean {
    const wanted = columnSet(columns);
    return (
      this.#byRelation
        .get(relation)
        ?.some(
          (constraint) => constraint.kind !== 'foreign-key' && columnSet(constraint.columns) === wanted,
        ) ?? false
    );
  }
}

function columnSet(numbers: readonly number[]): string {
  return numbers.length === 1 ? String(numbers[0]) : numbers.toSorted((a, b) => a - b).join(',');
}

export async function constraintsFromRows(result: StatementResult, slices: Slices): Promise<Constraints> {
  const constraints = new Constraints();
  for (const row of result.rows) {
    if (slices.spend(1)) await slices.rest();
    const type = readText(row, 0);
    constraints.add({
      kind: type === 'p' ? 'primary-key' : type === 'u' ? 'unique' : 'foreign-key',
      name: readText(row, 1),
      relation: readText(row, 2),
      columns: readNumberArray(row, 4),
      target: readText(row, 3),
      targetColumns: readNumberArray(row, 5),
    });
  }
  return constraints;
}
