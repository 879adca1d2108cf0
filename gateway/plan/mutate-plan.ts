import type { Mutation } from '../api-request/api-request.ts';
import type { Relation } from '../schema-cache/schema-cache.ts';
import type { Condition } from './read-plan.ts';

/** A column that a body writes. */
export interface PayloadColumn {
  readonly name: string;
  /** Type of the record column that the JSON is read into. */
  readonly type: string;
  /** Cast function `json → domain` of a domain representation, physical and quoted. */
  readonly representation: string | undefined;
  /** SQL expression for an absent key, with `missing=default` only. */
  readonly default: string | undefined;
}

export interface MutatePlan {
  readonly mutation: Mutation;
  readonly relation: Relation;
  /** Empty for deletes. */
  readonly columns: readonly PayloadColumn[];
  /** JSON text of the body, one parameter; `undefined` for deletes. */
  readonly body: { readonly text: string; readonly isArray: boolean } | undefined;
  /** Absent keys take the column's default instead of NULL (W4). */
  readonly appliesDefaults: boolean;
  /** Filters on the relation; for `single-upsert` they are on the body's row. ANDed. */
  readonly where: readonly Condition[];
  /** Columns whose values say which rows each of the body's objects changes; `undefined`: the first changes all that `where` finds. */
  readonly updateKey: readonly string[] | undefined;
  readonly onConflict:
    | { readonly columns: readonly string[]; readonly resolution: 'merge-duplicates' | 'ignore-duplicates' }
    | undefined;
  readonly returning: Returning;
  /** `Prefer: return`. */
  readonly return: 'representation' | 'headers-only' | 'minimal';
  /** `handling=strict, max-affected=n`. */
  readonly maxAffected: number | undefined;
  /** Primary key for `Location`, when it is asked for and known. */
  readonly locationColumns: readonly string[];
}

/** Columns that the changed or returned rows must carry for the representation built from them. */
export interface Returning {
  /** Every column of the relation. */
  readonly all: boolean;
  /** Further names: single columns, or computed columns next to `all`. */
  readonly names: readonly string[];
}
