import type { ItemRange } from './range.ts';

/** One step of `col->a->0->>b`. `arrow` is the operator as written before the operand. */
export interface JsonStep {
  readonly arrow: '->' | '->>';
  readonly operand:
    | { readonly kind: 'key'; readonly key: string }
    /** Array index as text, possibly negative. */
    | { readonly kind: 'index'; readonly index: string };
}

/** A column (or computed column), optionally followed by a JSON path. */
export interface Field {
  readonly name: string;
  readonly path: readonly JsonStep[];
}

export type AggregateFunction = 'sum' | 'avg' | 'count' | 'max' | 'min';

export type JoinKind = 'inner' | 'left';

export type SelectItem =
  | {
      readonly kind: 'field';
      /** `name` is `*` for all columns, and for `count()` of rows. */
      readonly field: Field;
      /** Columns that a `*` leaves out: `*,-a,-b`. Not empty, each once. */
      readonly except?: readonly string[];
      readonly alias: string | undefined;
      readonly cast: string | undefined;
      readonly aggregate: { readonly fn: AggregateFunction; readonly cast: string | undefined } | undefined;
    }
  | {
      readonly kind: 'embed';
      readonly name: string;
      readonly alias: string | undefined;
      readonly hint: string | undefined;
      readonly join: JoinKind | undefined;
      readonly select: readonly SelectItem[];
    }
  | {
      readonly kind: 'spread';
      readonly name: string;
      readonly hint: string | undefined;
      readonly join: JoinKind | undefined;
      readonly select: readonly SelectItem[];
    };

export type Quantifier = 'any' | 'all';

/** Operators that take one value and may take a quantifier. */
export type QuantifiableOperator = 'eq' | 'gt' | 'gte' | 'lt' | 'lte' | 'like' | 'ilike' | 'match' | 'imatch';

/** Operators that take one value and no modifier. */
export type SimpleOperator = 'neq' | 'cs' | 'cd' | 'ov' | 'sl' | 'sr' | 'nxr' | 'nxl' | 'adj';

/** Operators that may have a column on their right side. */
export type ColumnOperator = QuantifiableOperator | SimpleOperator | 'in' | 'isdistinct';

export type FullTextOperator = 'fts' | 'plfts' | 'phfts' | 'wfts';

/** What stands right of a field. Values are as the client gave them; `*` in `like` is not yet `%`. */
export type Operation =
  | {
      readonly kind: 'compare';
      readonly operator: QuantifiableOperator;
      readonly quantifier: Quantifier | undefined;
      readonly value: string;
    }
  | { readonly kind: 'simple'; readonly operator: SimpleOperator; readonly value: string }
  | { readonly kind: 'in'; readonly values: readonly string[] }
  | { readonly kind: 'is'; readonly value: 'null' | 'not_null' | 'true' | 'false' | 'unknown' }
  | { readonly kind: 'isdistinct'; readonly value: string }
  /** `gt(col).other`, `gt(parent).other`: the right side is a column of the same row, or of the row that embeds it. */
  | {
      readonly kind: 'column';
      readonly operator: ColumnOperator;
      readonly of: 'row' | 'parent';
      readonly column: Field;
    }
  | {
      readonly kind: 'full-text';
      readonly operator: FullTextOperator;
      readonly language: string | undefined;
      readonly value: string;
    };

export interface Filter {
  readonly kind: 'filter';
  readonly field: Field;
  readonly negated: boolean;
  readonly operation: Operation;
}

/** `and=(…)`, `or=(…)` and what nests in them. */
export type LogicTree =
  | Filter
  | {
      readonly kind: 'logic';
      readonly operator: 'and' | 'or';
      readonly negated: boolean;
      readonly children: readonly LogicTree[];
    };

/** `path` names embeds from the root: `['clients', 'projects']`; empty at the root. */
export interface Positioned<T> {
  readonly path: readonly string[];
  readonly value: T;
}

export interface OrderTerm {
  readonly field: Field;
  /** `order=clients(name)`: order the parents by a to-one embed's column. */
  readonly relation: string | undefined;
  readonly direction: 'asc' | 'desc' | undefined;
  readonly nulls: 'first' | 'last' | undefined;
}

/** The query string, parsed. Everything positioned keeps the order in which it was given. */
export interface QueryParams {
  readonly select: readonly SelectItem[];
  /** `true` when `select` was absent, empty or a lone `*`. */
  readonly isDefaultSelect: boolean;
  readonly filters: readonly Positioned<Filter>[];
  /** `and`/`or` trees; ANDed with `filters`. */
  readonly logic: readonly Positioned<LogicTree>[];
  readonly order: readonly Positioned<readonly OrderTerm[]>[];
  /** Ranges of embeds, from `rel.limit`/`rel.offset`; the root's is `ApiRequest.range`. */
  readonly ranges: readonly Positioned<ItemRange>[];
  /** The root's `limit`/`offset` alone, without the `Range` header; PUT refuses them (PGRST114). */
  readonly hasRootLimit: boolean;
  readonly columns: readonly string[] | undefined;
  readonly onConflict: readonly string[] | undefined;
  /** Distinct names of all filter parameters as given, paths and quotes included; PUT compares them with the key. */
  readonly filterFields: readonly string[];
  /** GET/HEAD RPC: arguments, i.e. parameters that do not parse as an operation, in order; names may repeat. */
  readonly routineParams: readonly (readonly [name: string, value: string])[];
  /**
   * Everything the query string says but the operands of plain comparisons and the arguments of a function: queries of one
   * shape differ in values only. `undefined` when it holds a NUL, which would make shapes ambiguous.
   */
  readonly shape: string | undefined;
  /** Later requests with the same query string get this very object. */
  readonly isKept?: true;
  /** All parameters sorted by name and re-encoded, for `Content-Location` (H2); empty without parameters. */
  readonly canonical: string;
}
