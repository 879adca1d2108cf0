import type { PostgrestRecord } from '../registry/postgrest-settings.ts';

/**
 * The picture of a tenant's exposed schemas. It never changes once it is built from the catalog queries; what takes room and is rarely
 * asked for (a relation's columns, its relationships) is worked out from the catalog's rows at the first request for it.
 * All `schema` fields hold logical names unless called `physicalSchema`.
 */
export interface SchemaCache {
  /** Key: `relationKey(schema, name)`. Tables, views, materialized views, foreign tables, partitioned tables. */
  readonly relations: ReadonlyMap<string, Relation>;
  readonly relationships: Relationships;
  /**
   * Relations that are many-to-many with others through a junction that is not exposed: `hiddenJunctionKey(source, target schema)`.
   * They cannot be embedded so, but PostgREST's hints know of them.
   */
  readonly hiddenJunctions?: ReadonlySet<string>;
  /** Key: `relationKey(schema, name)`; overloads together. */
  readonly routines: ReadonlyMap<string, readonly Routine[]>;
  readonly names: KnownNames;
  /** Custom media type handlers (M8). */
  readonly mediaHandlers: readonly MediaHandler[];
  /** Domain representations (X1), by type name as `Column.type` and `coercedTypes` spell it. */
  readonly representations: readonly DataRepresentation[];
  /** Valid `timezone` names in lower case, for `Prefer: timezone` . Empty when not loaded. */
  readonly timezones: ReadonlySet<string>;
  /** `SET`tings of roles to apply per request, already limited to the allow-list: physical role → name → value. */
  readonly roleSettings: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** Settings by PostgREST's names that the tenant's database puts over the registry's (X7); each was checked. */
  readonly databaseSettings: PostgrestRecord;
  /** Comment of each exposed schema, by logical name (for the OpenAPI title and description). */
  readonly schemaDescriptions: ReadonlyMap<string, string>;
  /** `server_version_num`, e.g. 170010. */
  readonly serverVersion: number;
  /** What it takes in memory, for the cache's byte bound; grows as parts of it are worked out. */
  readonly sizeBytes: number;
  /** Counts bytes of what is remembered for as long as the picture is there, such as plans made on it; negative when it is let go of. */
  readonly addWeight?: (bytes: number) => void;
}

/** Names that the search path has beside those of relations and their columns. A name that is nowhere goes into no statement. */
export interface KnownNames {
  /** Functions that take a row, which can be named like columns of it (F20). */
  readonly functions: ReadonlySet<string>;
  /** Types that can be cast to. */
  readonly types: ReadonlySet<string>;
}

/** The relationships of a picture by the relation they start from. */
export interface Relationships {
  /**
   * In the order of E11; `undefined` when there are none.
   *
   * @param key `relationKey(schema, name)`
   */
  get(key: string): readonly Relationship[] | undefined;
}

export function relationKey(schema: string, name: string): string {
  return `${schema}\0${name}`;
}

/** @param schema logical, of the target */
export function hiddenJunctionKey(source: RelationRef, schema: string): string {
  return `${relationKey(source.schema, source.name)}\0${schema}`;
}

/** Implementations work `columns`, `primaryKey` and `description` out: a copy by `{ ...relation }` has none of them. */
export interface Relation {
  readonly schema: string;
  readonly physicalSchema: string;
  readonly name: string;
  readonly description: string | undefined;
  readonly kind: 'table' | 'view' | 'materialized-view' | 'foreign-table' | 'partitioned-table';
  readonly isInsertable: boolean;
  readonly isUpdatable: boolean;
  readonly isDeletable: boolean;
  /** Names, sorted; for a view the view's columns that carry the base table's key. Empty without one. */
  readonly primaryKey: readonly string[];
  /** In the order of definition. */
  readonly columns: ReadonlyMap<string, Column>;
}

export interface Column {
  readonly name: string;
  readonly description: string | undefined;
  readonly isNullable: boolean;
  /** `format_type` without length of the base type behind domains (`character varying`, `integer[]`, `tsvector`). */
  readonly baseType: string;
  /** The declared type with its modifier, quoted and schema-qualified as `format_type` does (`character varying(20)`, `app.color`). */
  readonly type: string;
  /** `character varying` length and the like. */
  readonly maxLength: number | undefined;
  /** SQL expression: the default, `nextval(…)` of an identity; `undefined` for none and for generated columns (W4). */
  readonly default: string | undefined;
  readonly isGenerated: boolean;
  /** Labels, in order; empty when it is no enum. */
  readonly enumValues: readonly string[];
}

export type Cardinality =
  | { readonly kind: 'o2m'; readonly constraint: string; readonly columns: readonly ColumnPair[] }
  | { readonly kind: 'm2o'; readonly constraint: string; readonly columns: readonly ColumnPair[] }
  | {
      readonly kind: 'o2o';
      readonly constraint: string;
      readonly columns: readonly ColumnPair[];
      /** `true` on the side that is referenced (it behaves as the "one" parent), `false` on the side with the key. */
      readonly isParent: boolean;
    }
  | { readonly kind: 'm2m'; readonly junction: Junction };

/** `source` is a column of the relation the relationship starts from, `target` of the one it leads to. */
export interface ColumnPair {
  readonly source: string;
  readonly target: string;
}

export interface Junction {
  readonly schema: string;
  readonly physicalSchema: string;
  readonly name: string;
  /** Foreign key from the junction to the source, and to the target. */
  readonly sourceConstraint: string;
  readonly targetConstraint: string;
  /** `source`: column of the source relation; `target`: the junction's column that refers to it. */
  readonly sourceColumns: readonly ColumnPair[];
  /** `source`: column of the target relation; `target`: the junction's column that refers to it. */
  readonly targetColumns: readonly ColumnPair[];
}

export type Relationship =
  | {
      readonly kind: 'foreign-key';
      readonly source: RelationRef;
      readonly target: RelationRef;
      readonly isSelf: boolean;
      readonly cardinality: Cardinality;
      /** The foreign key was inherited by a view on the source or target side. */
      readonly sourceIsView: boolean;
      readonly targetIsView: boolean;
    }
  | {
      /** A function from one relation's row type to another's (E9). Named by its function. */
      readonly kind: 'computed';
      readonly source: RelationRef;
      readonly target: RelationRef;
      readonly isSelf: boolean;
      /** The function; `name` is also what an embed calls it by. */
      readonly function: RelationRef;
      /** Row type of the argument, when the function is defined on one relation. */
      readonly toOne: boolean;
      readonly argumentType: RelationRef;
    };

export interface RelationRef {
  readonly schema: string;
  readonly physicalSchema: string;
  readonly name: string;
}

export interface Routine {
  readonly schema: string;
  readonly physicalSchema: string;
  readonly name: string;
  readonly description: string | undefined;
  readonly params: readonly RoutineParam[];
  readonly returns: RoutineReturn;
  readonly volatility: 'volatile' | 'stable' | 'immutable';
  readonly hasVariadic: boolean;
  /** `SET` clauses to hoist into the transaction, name → value (C9); already limited to `db-hoisted-tx-settings`. */
  readonly settings: Readonly<Record<string, string>>;
  readonly isolationLevel: string | undefined;
}

export interface RoutineParam {
  /** Empty for an unnamed parameter. */
  readonly name: string;
  /** As `format_type` gives it. */
  readonly type: string;
  /** The type to cast to, without length: `bit` → `bit varying`, `char` → `character varying` (C5). */
  readonly castType: string;
  readonly isRequired: boolean;
  readonly isVariadic: boolean;
}

export type RoutineReturn = {
  readonly isSet: boolean;
} & (
  | { readonly kind: 'void' }
  | {
      readonly kind: 'scalar';
      readonly type: string;
      /** Lower-case media type when the type is a domain named like one (M8), the any-type `*` + `/*` included. */
      readonly mediaType: string | undefined;
      /** That domain is one over `bytea`: the body is these bytes. */
      readonly isBinary?: true;
    }
  /** A row type: of a relation in an exposed schema (`relation`), of another type, or a record from OUT/TABLE parameters. */
  | {
      readonly kind: 'composite';
      readonly type: string;
      readonly relation: RelationRef | undefined;
      /**
       * `RETURNS TABLE`/OUT parameters: rows have no named type to cast to. A bare `record` is a scalar instead: without
       * a column list it cannot stand in FROM.
       */
      readonly isAlias: boolean;
      /** Names of the columns; `undefined` where `relation` has them. */
      readonly columns?: readonly string[] | undefined;
    }
);

/** A domain named like a media type, with a function or aggregate that makes it. */
export interface MediaHandler {
  /** Lower-case media type, or the any-type `*` + `/*`. */
  readonly mediaType: string;
  /** `undefined`: for any relation (argument `anyelement`). */
  readonly relation: RelationRef | undefined;
  /** The aggregate. A function that returns the domain itself is found through its own return type instead. */
  readonly aggregate: RelationRef;
  /** The domain is one over `bytea`: the body is these bytes. */
  readonly isBinary?: true;
}

export interface DataRepresentation {
  readonly sourceType: string;
  readonly targetType: string;
  /** Physical, quoted, ready for SQL. */
  readonly functionName: string;
}
