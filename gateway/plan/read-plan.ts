import type {
  AggregateFunction,
  ColumnOperator,
  JoinKind,
  JsonStep,
  Operation,
  QueryParams,
} from '../api-request/query-params.ts';
import type { ItemRange } from '../api-request/range.ts';
import type { Relation, Relationship } from '../schema-cache/schema-cache.ts';

/** A field whose type was looked up, so that the SQL stage needs no schema cache. */
export interface PlannedField {
  /** `*` stands for the whole row. */
  readonly name: string;
  readonly path: readonly JsonStep[];
  /** The picture has the name: of a column, of a function of the row, or of what every row has. Any other is in no statement. */
  readonly isKnown: boolean;
  /** The column is not json/jsonb, so `to_jsonb` has to come before the path (F17). */
  readonly needsToJsonb: boolean;
  /** `undefined` when the schema cache does not know the column, e.g. a computed one. */
  readonly baseType: string | undefined;
  /** Cast function of a domain representation (X1), physical and quoted. */
  readonly representation: string | undefined;
}

export type SelectTerm = {
  readonly field: PlannedField;
  /** Name of the output column; `undefined` for `*`. */
  readonly alias: string | undefined;
  readonly cast: string | undefined;
  readonly aggregate: PlannedAggregate | undefined;
};

export interface PlannedAggregate {
  readonly fn: AggregateFunction;
  readonly cast: string | undefined;
}

export type Condition =
  | {
      readonly kind: 'filter';
      readonly field: PlannedField;
      readonly negated: boolean;
      readonly operation: Exclude<Operation, { kind: 'column' }>;
    }
  /** `gt(col).other`: both sides are columns. */
  | {
      readonly kind: 'columns';
      readonly field: PlannedField;
      readonly negated: boolean;
      readonly operator: ColumnOperator;
      readonly other: PlannedField;
      /** `other` is a column of the row that embeds this one. */
      readonly isOfParent: boolean;
    }
  /** `rel=is.null`, `rel=not.is.null`: whether an embed has rows (F16). `embed` is its index in `ReadPlan.embeds`. */
  | { readonly kind: 'null-embed'; readonly embed: number; readonly isNull: boolean }
  | {
      readonly kind: 'logic';
      readonly operator: 'and' | 'or';
      readonly negated: boolean;
      readonly children: readonly Condition[];
    };

export interface PlannedOrder {
  readonly field: PlannedField;
  /** Index in `ReadPlan.embeds` of the to-one embed whose column orders the parents (O2). */
  readonly embed: number | undefined;
  readonly direction: 'asc' | 'desc' | undefined;
  readonly nulls: 'first' | 'last' | undefined;
}

/** One level of a read: a relation, what is wanted of it, and the embeds below it. */
export interface ReadPlan {
  /** `undefined` for a routine whose rows are of no exposed relation. */
  readonly relation: Relation | undefined;
  /** The columns of rows of no relation. */
  readonly outputs: ReadonlySet<string> | undefined;
  readonly select: readonly SelectTerm[];
  /** ANDed. */
  readonly where: readonly Condition[];
  readonly order: readonly PlannedOrder[];
  readonly range: ItemRange;
  readonly embeds: readonly EmbedPlan[];
  /** Some name of the answer, here or in an embed, is the client's own: an alias, or the last key of a JSON path. */
  readonly hasClientNames: boolean;
  /** The root's rows are a page that begins behind a row and tells where the next one does. */
  readonly keyset?: KeysetPlan | undefined;
}

export interface KeysetPlan {
  /** One for each term of `order`, which ends with the primary key. */
  readonly keys: readonly {
    readonly isDescending: boolean;
    readonly nullsLast: boolean;
    readonly isNullable: boolean;
  }[];
  /** What the row before the page has in them; `undefined` on the first page. */
  readonly after: readonly (string | null)[] | undefined;
  /** Of the order, for the next page's cursor. */
  readonly fingerprint: string;
}

export interface EmbedPlan {
  readonly relationship: Relationship;
  readonly cardinality: 'to-one' | 'to-many';
  /** Key in the parent's JSON. */
  readonly name: string;
  /** What it was found by in the picture: its name without an alias. */
  readonly target: string;
  readonly join: JoinKind;
  readonly isSpread: boolean;
  /** `rel()`, or `rel(sub())`: joins, but shows nothing. */
  readonly isEmpty: boolean;
  readonly read: ReadPlan;
}

export type ReadQuery = Pick<QueryParams, 'select' | 'filters' | 'logic' | 'order' | 'ranges'>;
