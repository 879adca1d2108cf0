import type { StatementResult } from '../platform/result-set.ts';
import { readNumbers, readText, readTexts } from './row-reader.ts';
import type { RelationRef } from './schema-cache.ts';

/** Oid as text; never leaves the loader. */
export type Oid = string;

/** A primary key, unique constraint or foreign key, its names in the order of the key. */
export interface Constraint {
  readonly oid: Oid;
  readonly kind: 'primary-key' | 'unique' | 'foreign-key';
  readonly name: string;
  readonly relation: Oid;
  readonly columnNumbers: readonly number[];
  readonly columns: readonly string[];
  /** The referenced side; empty for keys. */
  readonly target: Oid;
  readonly targetColumnNumbers: readonly number[];
  readonly targetColumns: readonly string[];
}

/** A function from one row type to another's (E9), by the oids of the relations. */
export interface ComputedRelationship {
  readonly function: RelationRef;
  readonly source: Oid;
  readonly target: Oid;
  readonly toOne: boolean;
}

export function constraintsFromRows(result: StatementResult): readonly Constraint[] {
  return result.rows.map((row) => {
    const type = readText(row, 1);
    return {
      oid: readText(row, 0),
      kind: type === 'p' ? 'primary-key' : type === 'u' ? 'unique' : 'foreign-key',
      name: readText(row, 2),
      relation: readText(row, 3),
      target: readText(row, 4),
      columnNumbers: readNumbers(row, 5),
      targetColumnNumbers: readNumbers(row, 6),
      columns: readTexts(row, 7),
      targetColumns: readTexts(row, 8),
    };
  });
}
