import { type Constraint, Constraints, type Oid } from '../../../schema-cache/catalog.ts';
import { PictureWeight } from '../../../schema-cache/picture-weight.ts';
import { CatalogRelationships } from '../../../schema-cache/relationships.ts';
import {
  type Relation,
  type RelationRef,
  type Relationship,
  type Routine,
  type RoutineParam,
  relationKey,
  type SchemaCache,
} from '../../../schema-cache/schema-cache.ts';
import { traceViews } from '../../../schema-cache/view-lineage.ts';

export function aRelation(name: string, changes: Partial<Relation> = {}): Relation {
  const schema = changes.schema ?? 'api';
  return {
    schema,
    physicalSchema: schema,
    name,
    description: undefined,
    kind: 'table',
    isInsertable: true,
    isUpdatable: true,
    isDeletable: true,
    primaryKey: ['id'],
    columns: new Map(),
    ...changes,
  };
}

export function ref(name: string, schema = 'api'): RelationRef {
  return { schema, physicalSchema: schema, name };
}

export function aParam(name: string, changes: Partial<RoutineParam> = {}): RoutineParam {
  const type = changes.type ?? 'integer';
  return { name, type, castType: type, isRequired: true, isVariadic: false, ...changes };
}

export function aRoutine(
  name: string,
  params: readonly RoutineParam[] = [],
  changes: Partial<Routine> = {},
): Routine {
  return {
    schema: 'api',
    physicalSchema: 'api',
    name,
    description: undefined,
    params,
    returns: { isSet: false, kind: 'scalar', type: 'integer', mediaType: undefined },
    volatility: 'volatile',
    hasVariadic: false,
    settings: {},
    isolationLevel: undefined,
    ...changes,
  };
}

export function aSchemaCache(changes: {
  relations?: readonly Relation[];
  relationships?: ReadonlyMap<string, readonly Relationship[]>;
  routines?: readonly Routine[];
}): SchemaCache {
  const routines = Map.groupBy(changes.routines ?? [], ({ schema, name }) => relationKey(schema, name));
  return {
    relations: new Map((changes.relations ?? []).map((r) => [relationKey(r.schema, r.name), r])),
    relationships: changes.relationships ?? new Map(),
    routines,
    names: { functions: new Set(), types: new Set() },
    mediaHandlers: [],
    representations: [],
    timezones: new Set(),
    roleSettings: new Map(),
    databaseSettings: {},
    schemaDescriptions: new Map(),
    serverVersion: 170000,
    sizeBytes: 1_000,
  };
}

/** A little catalog, written down: relations with numbered columns, keys, and views by what their columns show. */
export class CatalogBuilder {
  readonly #relations = new Map<Oid, Relation>();
  readonly #columns = new Map<Oid, readonly string[]>();
  readonly #constraints: Constraint[] = [];
  readonly #views = new Map<Oid, readonly (readonly [position: number, of: string, column: number])[]>();
  readonly #functions: { name: string; source: string; target: string; toOne: boolean }[] = [];
  readonly #hidden = new Set<string>();

  /** @param columns names in order; the first `keyLength` of them are the primary key */
  table(name: string, columns: readonly string[], keyLength = 1): this {
    this.#relations.set(name, aRelation(name, { primaryKey: columns.slice(0, keyLength).toSorted() }));
    this.#columns.set(name, columns);
    if (keyLength > 0) this.#key(name, 'primary-key', `${name}_pkey`, columns.slice(0, keyLength));
    return this;
  }

  /** In a schema that is not exposed. */
  hiddenTable(name: string, columns: readonly string[], keyLength = 1): this {
    this.#hidden.add(name);
    return this.table(name, columns, keyLength);
  }

  /** @param shows view column → `table.column`, in order; an expression shows nothing */
  view(
    name: string,
    shows: Readonly<Record<string, string | undefined>>,
    primaryKey: readonly string[] = [],
  ): this {
    this.#relations.set(name, aRelation(name, { kind: 'view', primaryKey }));
    this.#columns.set(name, Object.keys(shows));
    const entries = Object.values(shows).flatMap((shown, i) => {
      if (shown === undefined) return [];
      const [of = '', column = ''] = shown.split('.');
      return [[i + 1, of, this.#number(of, column)] as const];
    });
    this.#views.set(name, entries);
    return this;
  }

  unique(table: string, columns: readonly string[]): this {
    return this.#key(table, 'unique', `${table}_key`, columns);
  }

  foreignKey(
    name: string,
    table: string,
    columns: readonly string[],
    target: string,
    targetColumns: readonly string[],
  ): this {
    this.#constraints.push({
      kind: 'foreign-key',
      name,
      relation: table,
      columns: columns.map((column) => this.#number(table, column)),
      target,
      targetColumns: targetColumns.map((column) => this.#number(target, column)),
    });
    return this;
  }

  function(name: string, source: string, target: string, toOne = false): this {
    this.#functions.push({ name, source, target, toOne });
    return this;
  }

  relationships(): ReadonlyMap<string, readonly Relationship[]> {
    const relations = new Map(
      [...this.#relations]
        .filter(([name]) => !this.#hidden.has(name))
        .map(([name, { primaryKey }]) => [
          name,
          {
            oid: name,
            ref: ref(name),
            primaryKey,
            columnName: (attnum: number) => this.#columns.get(name)?.[attnum - 1],
          },
        ]),
    );
    const constraints = new Constraints();
    for (const constraint of this.#constraints) constraints.add(constraint);
    const relationsByKey = new Map(
      [...relations].map(([name, related]) => [relationKey('api', name), related]),
    );
    const found = new CatalogRelationships({
      relations,
      relationsByKey,
      constraints,
      lineages: new Map(
        traceViews(
          [...this.#views].map(([view, entries]) => ({
            view,
            entries: entries.map(([position, originRelation, originColumn]) => ({
              position,
              originRelation,
              originColumn,
            })),
          })),
        ),
      ),
      computed: this.#functions.map(({ name, source, target, toOne }) => ({
        function: ref(name),
        source,
        target,
        toOne,
      })),
      weight: new PictureWeight(0),
    });
    return new Map(
      [...relationsByKey.keys()].flatMap((key) => {
        const relationships = found.get(key);
        return relationships === undefined ? [] : [[key, relationships]];
      }),
    );
  }

  cache(): SchemaCache {
    return aSchemaCache({ relations: [...this.#relations.values()], relationships: this.relationships() });
  }

  #key(table: string, kind: 'primary-key' | 'unique', name: string, columns: readonly string[]): this {
    this.#constraints.push({
      kind,
      name,
      relation: table,
      columns: columns.map((column) => this.#number(table, column)),
      target: '0',
      targetColumns: [],
    });
    return this;
  }

  #number(relation: string, column: string): number {
    return (this.#columns.get(relation)?.indexOf(column) ?? -1) + 1;
  }
}

/** One line a relationship: `tasks m2o project_id=id tasks_project_id_fkey`. */
export function summarize(
  relationships: ReadonlyMap<string, readonly Relationship[]>,
  source: string,
): string[] {
  return (relationships.get(relationKey('api', source)) ?? []).map((relationship) => {
    const name = relationship.target.name;
    if (relationship.kind === 'computed') {
      return `${name} ${relationship.toOne ? 'one' : 'many'} by ${relationship.function.name}()`;
    }
    const { cardinality } = relationship;
    const views = `${relationship.sourceIsView ? ' from-view' : ''}${relationship.targetIsView ? ' to-view' : ''}`;
    const self = relationship.isSelf ? ' self' : '';
    if (cardinality.kind === 'm2m') {
      const { junction } = cardinality;
      const left = junction.sourceColumns.map((pair) => `${pair.source}=${pair.target}`).join(',');
      const right = junction.targetColumns.map((pair) => `${pair.source}=${pair.target}`).join(',');
      return `${name} m2m ${left} ${junction.name} ${right}${self}${views}`;
    }
    const parent = cardinality.kind === 'o2o' && cardinality.isParent ? ' parent' : '';
    const columns = cardinality.columns.map((pair) => `${pair.source}=${pair.target}`).join(',');
    return `${name} ${cardinality.kind} ${columns} ${cardinality.constraint}${parent}${self}${views}`;
  });
}
