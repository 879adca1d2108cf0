import type { StatementResult } from '../platform/result-set.ts';
import type { Constraints, Oid } from './catalog.ts';
import { type ColumnTypes, columnTypeKey } from './column-types.ts';
import type { PictureWeight } from './picture-weight.ts';
import {
  type CatalogRow,
  readArray,
  readNumber,
  readNumberArray,
  readText,
  readTextRecord,
} from './row-reader.ts';
import { type Column, type Relation, type RelationRef, relationKey } from './schema-cache.ts';
import type { Slices } from './slices.ts';
import type { ViewLineage } from './view-lineage.ts';

/** What the relations of one picture refer to. */
export interface RelationParts {
  readonly types: ColumnTypes;
  readonly constraints: Constraints;
  readonly lineages: ReadonlyMap<Oid, ViewLineage>;
  /** Physical → logical name of the exposed schemas. */
  readonly logicalSchemas: ReadonlyMap<string, string>;
  readonly weight: PictureWeight;
}

/**
 * A relation as the catalog has it. Most requests to a tenant are for a few of its relations, so that of the others the row is kept as
 * it came, and columns are made of it when they are first asked for.
 */
export class CatalogRelation implements Relation {
  readonly oid: Oid;
  readonly schema: string;
  readonly physicalSchema: string;
  readonly name: string;
  readonly kind: Relation['kind'];
  readonly isInsertable: boolean;
  readonly isUpdatable: boolean;
  readonly isDeletable: boolean;
  readonly #parts: RelationParts;
  #row: CatalogRow | undefined;
  #description: string | undefined;
  #columns: ReadonlyMap<string, Column> | undefined;
  #columnNames: readonly (string | null)[] | undefined;
  #primaryKey: readonly string[] | undefined;
  #ref: RelationRef | undefined;

  constructor(row: CatalogRow, parts: RelationParts) {
    this.oid = readText(row, 0);
    this.physicalSchema = readText(row, 1);
    this.schema = parts.logicalSchemas.get(this.physicalSchema) ?? this.physicalSchema;
    this.name = readText(row, 2);
    this.kind = relationKind(readText(row, 3));
    const commands = readNumber(row, 4);
    this.isInsertable = (commands & INSERT) !== 0;
    this.isUpdatable = (commands & UPDATE) !== 0;
    this.isDeletable = (commands & DELETE) !== 0;
    this.#row = row;
    this.#parts = parts;
  }

  get description(): string | undefined {
    return this.#row === undefined ? this.#description : readTextRecord(this.#row, 5)[0];
  }

  get columns(): ReadonlyMap<string, Column> {
    return this.#columns ?? this.#readColumns();
  }

  get primaryKey(): readonly string[] {
    if (this.#primaryKey === undefined) {
      const { constraints, lineages } = this.#parts;
      const lineage = lineages.get(this.oid);
      const names =
        lineage === undefined
          ? this.#namesOf(constraints.primaryKeyOf(this.oid)?.columns ?? [])
          : this.#viewPrimaryKey(lineage);
      this.#primaryKey = names.toSorted();
    }
    return this.#primaryKey;
  }

  /** One object for all that refers to the relation. */
  get ref(): RelationRef {
    const { schema, physicalSchema, name } = this;
    this.#ref ??= { schema, physicalSchema, name };
    return this.#ref;
  }

  /** `undefined` for a column that is not there any more. */
  columnName(attnum: number): string | undefined {
    this.#columnNames ??= readArray(this.#row!, 6) as readonly (string | null)[];
    return this.#columnNames[attnum - 1] ?? undefined;
  }

  #namesOf(attnums: readonly number[]): readonly string[] {
    return attnums.map((attnum) => this.columnName(attnum)).filter((name) => name !== undefined);
  }

  /** The key columns of every table whose whole primary key the view shows; a column shown twice counts once. */
  #viewPrimaryKey(lineage: ViewLineage): readonly string[] {
    const names = new Set<string>();
    for (const [table, shown] of lineage) {
      const key = this.#parts.constraints.primaryKeyOf(table);
      if (key === undefined) continue;
      const positions = key.columns.map((number) => shown.get(number)?.[0]).filter((at) => at !== undefined);
      if (positions.length < key.columns.length) continue;
      for (const name of this.#namesOf(positions)) names.add(name);
    }
    return [...names];
  }

  #readColumns(): ReadonlyMap<string, Column> {
    const row = this.#row!;
    const { types, weight } = this.#parts;
    // Read first: the row goes.
    this.columnName(1);
    const names = this.#columnNames!;
    const typeOids = readNumberArray(row, 7);
    const modifiers = readNumberArray(row, 8);
    const flags = readNumberArray(row, 9);
    const comments = readTextRecord(row, 5);
    const defaults = readTextRecord(row, 10);
    const identities = readTextRecord(row, 11);
    const columns = new Map<string, Column>();
    let bytes = 0;
    names.forEach((name, i) => {
      if (name === null) return;
      const type = types.get(columnTypeKey(typeOids[i]!, modifiers[i]!));
      if (type === undefined) throw new TypeError(`no type ${typeOids[i]} among the columns' types`);
      const flag = flags[i]!;
      const isGenerated = (flag & GENERATED) !== 0;
      const own = identities[i + 1] ?? defaults[i + 1] ?? type.default;
      columns.set(name, {
        name,
        description: comments[i + 1],
        isNullable: !((flag & NOT_NULL) !== 0 || type.isNotNull),
        baseType: type.baseType,
        type: type.type,
        maxLength: type.maxLength,
        default: isGenerated ? undefined : own,
        isGenerated,
        enumValues: type.enumValues,
      });
      bytes += BYTES_A_COLUMN;
    });
    weight.add(bytes);
    this.#columns = columns;
    this.#description = comments[0];
    this.#row = undefined;
    return columns;
  }
}

const UPDATE = 4;
const INSERT = 8;
const DELETE = 16;

const NOT_NULL = 1;
const GENERATED = 2;

/** Measured: the object, its name, and its place in the map; its comment and default were in the row. */
const BYTES_A_COLUMN = 115;

/** Relations in the order of the catalog query, by oid and by `relationKey(schema, name)`. */
export interface CatalogRelations {
  readonly byOid: ReadonlyMap<Oid, CatalogRelation>;
  readonly byKey: ReadonlyMap<string, CatalogRelation>;
}

export async function relationsFromRows(
  result: StatementResult,
  parts: RelationParts,
  slices: Slices,
): Promise<CatalogRelations> {
  const byOid = new Map<Oid, CatalogRelation>();
  const byKey = new Map<string, CatalogRelation>();
  for (const row of result.rows) {
    if (slices.spend(1)) await slices.rest();
    const relation = new CatalogRelation(row, parts);
    byOid.set(relation.oid, relation);
    byKey.set(relationKey(relation.schema, relation.name), relation);
  }
  return { byOid, byKey };
}

function relationKind(relkind: string): Relation['kind'] {
  switch (relkind) {
    case 'v':
      return 'view';
    case 'm':
      return 'materialized-view';
    case 'f':
      return 'foreign-table';
    case 'p':
      return 'partitioned-table';
    default:
      return 'table';
  }
}
