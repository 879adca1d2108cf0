import type { Constraint } from '../../schema-cache/catalog.ts';
import { buildRelationships } from '../../schema-cache/relationships.ts';
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
}

/** A schema cache of the logical schema `public`, physical `acme`, from a few words per table. */
export function aSchemaCache(spec: CacheSpec): SchemaCache {
  const byOid = new Map<string, Relation>();
  const numbers = new Map<string, Map<string, number>>();
  const constraints: Constraint[] = [];
  for (const table of spec.tables) {
    byOid.set(table.name, aRelation(table));
    numbers.set(table.name, new Map(Object.keys(table.columns).map((name, i) => [name, i + 1])));
  }
  const numbersOf = (table: string, columns: readonly string[]): number[] =>
    columns.map((column) => numbers.get(table)?.get(column) ?? 0);
  for (const table of spec.tables) {
    const key = { relation: table.name, target: '', targetColumnNumbers: [], targetColumns: [] };
    const columns = table.primaryKey ?? [];
    constraints.push({
      ...key,
      oid: `${table.name}_pkey`,
      kind: 'primary-key',
      name: `${table.name}_pkey`,
      columns,
      columnNumbers: numbersOf(table.name, columns),
    });
    for (const [name, [own, target, targetColumns]] of Object.entries(table.foreignKeys ?? {})) {
      constraints.push({
        oid: name,
        kind: 'foreign-key',
        name,
        relation: table.name,
        columns: own,
        columnNumbers: numbersOf(table.name, own),
        target,
        targetColumns,
        targetColumnNumbers: numbersOf(target, targetColumns),
      });
    }
  }
  const relations = [...byOid.values()];
  return {
    relations: new Map(relations.map((relation) => [relationKey(relation.schema, relation.name), relation])),
    relationships: buildRelationships({
      relations: byOid,
      constraints,
      lineages: new Map(),
      columnNames: new Map(),
      computed: [],
    }),
    routines: new Map(
      (spec.routines ?? []).map((routine) => [
        relationKey('public', routine.name ?? 'f'),
        [aRoutine(routine)],
      ]),
    ),
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
