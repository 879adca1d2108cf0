import { Constraints } from '../../schema-cache/catalog.ts';
import { PictureWeight } from '../../schema-cache/picture-weight.ts';
import { CatalogRelationships } from '../../schema-cache/relationships.ts';
import {
  type Column,
  type Relation,
  type Routine,
  relationKey,
  type SchemaCache,
} from '../../schema-cache/schema-cache.ts';

interface TableSpec {
  readonly name: string;
  /** Column name → type. */
  readonly columns: Readonly<Record<string, string>>;
  readonly primaryKey?: readonly string[];
  /** Constraint name → [own columns, table, its columns]. */
  readonly foreignKeys?: Readonly<Record<string, readonly [readonly string[], string, readonly string[]]>>;
  readonly defaults?: Readonly<Record<string, string>>;
}

interface CacheSpec {
  readonly tables: readonly TableSpec[];
  readonly routines?: readonly Partial<Routine>[];
  readonly representations?: SchemaCache['representations'];
  /** Functions of rows. */
  readonly computed?: readonly string[];
  readonly types?: readonly string[];
}

/** A schema cache of the logical schema `public`, physical `acme`, from a few words per table. */
export function aSchemaCache(spec: CacheSpec): SchemaCache {
  const byOid = new Map<string, Relation>();
  const numbers = new Map<string, readonly string[]>();
  const constraints = new Constraints();
  for (const table of spec.tables) {
    byOid.set(table.name, aRelation(table));
    numbers.set(table.name, Object.keys(table.columns));
  }
  const numbersOf = (table: string, columns: readonly string[]): number[] =>
    columns.map((column) => (numbers.get(table)?.indexOf(column) ?? -1) + 1);
  for (const { name: relation, primaryKey = [], foreignKeys = {} } of spec.tables) {
    constraints.add({
      kind: 'primary-key',
      name: `${relation}_pkey`,
      relation,
      columns: numbersOf(relation, primaryKey),
      target: '0',
      targetColumns: [],
    });
    for (const [name, [own, target, targetColumns]] of Object.entries(foreignKeys)) {
      constraints.add({
        kind: 'foreign-key',
        name,
        relation,
        columns: numbersOf(relation, own),
        target,
        targetColumns: numbersOf(target, targetColumns),
      });
    }
  }
  const relations = [...byOid.values()];
  const related = new Map(
    relations.map(({ schema, physicalSchema, name, primaryKey }) => [
      name,
      {
        oid: name,
        ref: { schema, physicalSchema, name },
        primaryKey,
        columnName: (attnum: number) => numbers.get(name)?.[attnum - 1],
      },
    ]),
  );
  return {
    relations: new Map(relations.map((relation) => [relationKey(relation.schema, relation.name), relation])),
    relationships: new CatalogRelationships({
      relations: related,
      relationsByKey: new Map([...related].map(([name, one]) => [relationKey('public', name), one])),
      constraints,
      lineages: new Map(),
      computed: [],
      weight: new PictureWeight(0),
    }),
    routines: new Map(
      (spec.routines ?? []).map((routine) => [
        relationKey('public', routine.name ?? 'f'),
        [aRoutine(routine)],
      ]),
    ),
    names: { functions: new Set(spec.computed), types: new Set(spec.types) },
    mediaHandlers: [],
    representations: spec.representations ?? [],
    timezones: new Set(),
    roleSettings: new Map(),
    databaseSettings: {},
    schemaDescriptions: new Map(),
    serverVersion: 170000,
    sizeBytes: 0,
  };
}

function aRelation(table: TableSpec): Relation {
  const columns = Object.entries(table.columns).map(([name, type]): [string, Column] => [
    name,
    {
      name,
      description: undefined,
      isNullable: true,
      baseType: type,
      type,
      maxLength: undefined,
      default: table.defaults?.[name],
      isGenerated: false,
      enumValues: [],
    },
  ]);
  return {
    schema: 'public',
    physicalSchema: 'acme',
    name: table.name,
    description: undefined,
    kind: 'table',
    isInsertable: true,
    isUpdatable: true,
    isDeletable: true,
    primaryKey: table.primaryKey ?? [],
    columns: new Map(columns),
  };
}

function aRoutine(routine: Partial<Routine>): Routine {
  return {
    schema: 'public',
    physicalSchema: 'acme',
    name: 'f',
    description: undefined,
    params: [],
    returns: { kind: 'scalar', isSet: false, type: 'integer', mediaType: undefined },
    volatility: 'volatile',
    hasVariadic: false,
    settings: {},
    isolationLevel: undefined,
    ...routine,
  };
}
