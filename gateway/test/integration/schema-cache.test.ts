import { readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, runSql, type TestDatabase } from '../../../test/support/database.ts';
import { findRelationship } from '../../schema-cache/find-relationship.ts';
import { loadSchemaCache } from '../../schema-cache/load-schema-cache.ts';
import {
  type Column,
  type Relation,
  type Relationship,
  type Routine,
  relationKey,
  type SchemaCache,
} from '../../schema-cache/schema-cache.ts';
import { loadFrom, runCatalog } from '../support/run-catalog.ts';

const SCHEMAS = ['test', 'v1', 'v2'];
const HOISTED = ['statement_timeout', 'plan_filter.statement_cost_limit', 'default_transaction_isolation'];

let database: TestDatabase;
let cache: SchemaCache;

beforeAll(async () => {
  const sql = await readFile(new URL('../support/fixture.sql', import.meta.url), 'utf8');
  database = await createTestDatabase({ sql });
  cache = await loadFrom(database.url, {
    schemas: SCHEMAS,
    extraSearchPath: ['private'],
    hoistedSettings: HOISTED,
  });
});

afterAll(() => database.drop());

function relation(name: string, schema = 'test'): Relation {
  const found = cache.relations.get(relationKey(schema, name));
  if (found === undefined) throw new Error(`no relation ${name}`);
  return found;
}

/** A relation with everything that is worked out when it is asked for. */
function whole(found: Relation) {
  const { schema, physicalSchema, name, kind, isInsertable, isUpdatable, isDeletable } = found;
  const { description, primaryKey, columns } = found;
  const commands = { isInsertable, isUpdatable, isDeletable };
  return { schema, physicalSchema, name, description, kind, ...commands, primaryKey, columns };
}

/** The same of a whole picture. */
function wholePicture({ relations, relationships, sizeBytes, addWeight: _, ...rest }: SchemaCache) {
  return {
    ...rest,
    relations: new Map([...relations].map(([key, found]) => [key, whole(found)])),
    relationships: new Map([...relations.keys()].map((key) => [key, relationships.get(key)])),
    hasSize: sizeBytes > 0,
  };
}

function column(table: string, name: string): Column {
  const found = relation(table).columns.get(name);
  if (found === undefined) throw new Error(`no column ${name}`);
  return found;
}

function routines(name: string, schema = 'test'): readonly Routine[] {
  return cache.routines.get(relationKey(schema, name)) ?? [];
}

/** One line a relationship that starts from a relation of `test`. */
function relationships(source: string): string[] {
  return (cache.relationships.get(relationKey('test', source)) ?? []).map(summarize);
}

function summarize(relationship: Relationship): string {
  const { name } = relationship.target;
  if (relationship.kind === 'computed') {
    return `${name} ${relationship.toOne ? 'one' : 'many'} by ${relationship.function.name}()`;
  }
  const { cardinality } = relationship;
  if (cardinality.kind === 'm2m') return `${name} m2m ${cardinality.junction.name}`;
  const columns = cardinality.columns.map(({ source, target }) => `${source}=${target}`).join(',');
  return `${name} ${cardinality.kind} ${columns}`;
}

describe('relations', () => {
  test('a table is read whole', () => {
    expect(whole(relation('clients'))).toEqual({
      schema: 'test',
      physicalSchema: 'test',
      name: 'clients',
      description: 'Who pays',
      kind: 'table',
      isInsertable: true,
      isUpdatable: true,
      isDeletable: true,
      primaryKey: ['id'],
      columns: new Map([
        [
          'id',
          {
            name: 'id',
            description: undefined,
            isNullable: false,
            baseType: 'integer',
            type: 'integer',
            maxLength: undefined,
            default: undefined,
            isGenerated: false,
            enumValues: [],
          },
        ],
        [
          'name',
          {
            name: 'name',
            description: 'Full name',
            isNullable: false,
            baseType: 'text',
            type: 'text',
            maxLength: undefined,
            default: undefined,
            isGenerated: false,
            enumValues: [],
          },
        ],
      ]),
    });
  });

  test('only the exposed schemas are there, and no partitions', () => {
    expect([...new Set([...cache.relations.values()].map(({ schema }) => schema))]).toEqual(SCHEMAS);
    const cars = [...cache.relations.values()].filter(({ name }) => name.startsWith('car_'));
    expect(cars.map(({ name, kind }) => [name, kind])).toEqual([
      ['car_dealers', 'table'],
      ['car_models', 'partitioned-table'],
      ['car_sales', 'partitioned-table'],
    ]);
  });

  test('a view takes what its query or its INSTEAD OF triggers take', () => {
    const takes = (name: string) => {
      const { kind, isInsertable, isUpdatable, isDeletable } = relation(name);
      return [kind, isInsertable, isUpdatable, isDeletable];
    };
    expect(takes('projects_view')).toEqual(['view', true, true, true]);
    expect(takes('read_only_clients')).toEqual(['view', false, false, false]);
    expect(takes('writable_by_trigger')).toEqual(['view', true, false, false]);
    expect(takes('projects_materialized')).toEqual(['materialized-view', false, false, false]);
  });

  test('a view has the key of each table whose whole key it shows', () => {
    const keys = ['clients_view', 'projects_with_client', 'tasks_chain_of_chain', 'personnages', 'all_names'];
    expect(keys.map((name) => [name, relation(name).primaryKey])).toEqual([
      ['clients_view', ['client_key']],
      ['projects_with_client', ['client_id', 'project_id']],
      ['tasks_chain_of_chain', ['id']],
      ['personnages', ['film', 'roleId']],
      ['all_names', []],
    ]);
    expect(relation('compound_pk').primaryKey).toEqual(['k1', 'k2']);
    expect(relation('no_pk').primaryKey).toEqual([]);
  });

  test('names may hold any character', () => {
    expect([...relation('Mixed Case').columns.keys()]).toEqual([
      'Id',
      'Full Name',
      'select',
      'a"quoted',
      'with,comma',
      'with.dot',
      'dollar$',
    ]);
    expect(relation('موارد').primaryKey).toEqual(['هویت']);
  });

  test('comments of schemas are theirs', () => {
    expect(cache.schemaDescriptions).toEqual(
      new Map([['test', 'Test API\nEverything the gateway can serve.']]),
    );
  });
});

describe('columns', () => {
  test('types are spelt for casting, base types for deciding', () => {
    const types = [
      'varchar',
      'char',
      'bits',
      'exact',
      'texts',
      'color',
      'colors',
      'size',
      'tiny',
      'email',
      'favourite',
    ];
    expect(
      types.map((name) => [name, column('all_types', name).baseType, column('all_types', name).type]),
    ).toEqual([
      ['varchar', 'character varying', 'character varying(20)'],
      ['char', 'character', 'character(3)'],
      ['bits', 'bit', 'bit(4)'],
      ['exact', 'numeric', 'numeric(30,10)'],
      ['texts', 'text[]', 'text[]'],
      ['color', 'test.color', 'test.color'],
      ['colors', 'test.color[]', 'test.color[]'],
      ['size', 'test.dimensions', 'test.dimensions'],
      ['tiny', 'integer', 'test.tiny_positive_int'],
      ['email', 'text', 'test.email'],
      ['favourite', 'test.favourite_color', 'test.favourite_color'],
    ]);
  });

  test('lengths are those of characters and bits', () => {
    const lengths = ['varchar', 'char', 'bits', 'exact', 'big'].map(
      (name) => column('all_types', name).maxLength,
    );
    expect(lengths).toEqual([20, 3, 4, undefined, undefined]);
  });

  test('labels of an enum are there, through a domain too, in their order', () => {
    expect(column('all_types', 'color').enumValues).toEqual(['red', 'green', 'blue']);
    expect(column('all_types', 'favourite').enumValues).toEqual(['red', 'green', 'blue']);
    expect(column('all_types', 'colors').enumValues).toEqual([]);
  });

  test('defaults are SQL that works anywhere: of columns, sequences, identities and domains; not of generated columns', () => {
    const columns = [...relation('defaults').columns.values()];
    expect(columns.map((c) => [c.name, c.default, c.isGenerated, c.isNullable])).toEqual([
      ['id', "nextval('test.defaults_id_seq')", false, false],
      ['serial', "nextval('test.defaults_serial_seq'::regclass)", false, false],
      ['name', "'unnamed'::text", false, true],
      ['created_on', "'2020-01-01'::date", false, true],
      ['flags', "'{}'::text[]", false, false],
      ['color', "'green'::test.color", false, true],
      ['email', "'nobody@example.com'::text", false, false],
      ['upper_name', undefined, true, true],
    ]);
    expect(column('identity_always', 'id').default).toBeUndefined();
    expect(column('notes', 'user_id').default).toBe('test.current_user_id()');
  });
});

describe('relationships', () => {
  test('of tables and the views over them', () => {
    expect(relationships('clients')).toEqual([
      'projects o2m id=client_id',
      'projects_count_by o2m id=client_id',
      'projects_materialized o2m id=client_id',
      'projects_twice o2m id=client_a',
      'projects_twice o2m id=client_b',
      'projects_view o2m id=client_id',
      'projects_view_alt o2m id=t_client_id',
    ]);
    expect(relationships('users_tasks')).toEqual([
      'comments o2m user_id=user_id,task_id=task_id',
      'tasks m2o task_id=id',
      'tasks_chain m2o task_id=chain_id',
      'tasks_chain_of_chain m2o task_id=id',
      'tasks_renamed m2o task_id=id',
      'users m2o user_id=id',
    ]);
    expect(relationships('users')).toContain('tasks m2m users_tasks');
  });

  test('one-to-one by primary key or unique constraint, not by a bare unique index', () => {
    expect(relationships('countries')).toEqual([
      'anthems o2o id=country_id',
      'capitals o2o id=country_id',
      'mottos o2m id=country_id',
    ]);
    expect(relationships('capitals')).toEqual(['countries o2o country_id=id']);
  });

  test('of a table with itself', () => {
    expect(relationships('organizations')).toEqual([
      'organizations o2m id=auditor',
      'organizations o2m id=referee',
      'organizations m2o auditor=id',
      'organizations m2o referee=id',
    ]);
  });

  test('of partitioned tables are the parents’ alone', () => {
    expect(relationships('car_dealers')).toEqual([
      'car_models m2o model_name=name,model_year=year',
      'car_sales o2m id=dealer_id',
    ]);
    expect(relationships('car_models')).toEqual(['car_dealers o2m name=model_name,year=model_year']);
    expect(relationships('car_sales')).toEqual(['car_dealers m2o dealer_id=id']);
  });

  test('of views over tables in a schema that is not exposed', () => {
    expect(relationships('films')).toEqual(['actors m2m personnages', 'personnages o2m id=film']);
    expect(relationships('personnages')).toEqual(['actors m2o roleId=actorId', 'films m2o film=id']);
  });

  test('a view’s renamed column goes by its new name', () => {
    expect(relationships('tasks_renamed')).toContain('projects m2o project=id');
  });

  test('a chain of views leads through the extra search path', async () => {
    expect(relationships('tasks_chain')).toContain('projects m2o chain_project=id');
    const without = await loadFrom(database.url, { schemas: SCHEMAS });
    expect(without.relationships.get(relationKey('test', 'tasks_chain'))).toBeUndefined();
  });

  test('set operations and aggregates have none, grouped columns have', () => {
    expect(relationships('all_names')).toEqual([]);
    expect(relationships('projects_count_by')).toContain('clients m2o client_id=id');
  });

  test('by functions, which take the place of foreign keys of the same name', () => {
    expect(relationships('videogames')).toEqual([
      'designers one by computed_designer()',
      'designers one by designers()',
      'designers one by related()',
    ]);
    expect(relationships('designers')).toEqual([
      'videogames o2m id=designer_id',
      'videogames many by computed_videogames()',
      'videogames many by related()',
    ]);
    expect(relationships('family_tree')).toEqual([
      'family_tree o2m id=parent',
      'family_tree m2o parent=id',
      'family_tree one by parent_of()',
      'family_tree many by siblings()',
    ]);
  });

  test('lead out of a schema but are found from within it only', () => {
    const embed = { source: relation('children', 'v2'), schema: 'v2', target: 'parents', hint: undefined };
    expect(summarize(findRelationship(cache, embed))).toBe('parents m2o parent_id=id');
    const fromV1 = { source: relation('parents', 'v1'), schema: 'v1', target: 'children', hint: undefined };
    expect(findRelationship(cache, fromV1).target).toEqual({
      schema: 'v1',
      physicalSchema: 'v1',
      name: 'children',
    });
  });
});

describe('routines', () => {
  test('a function is read whole', () => {
    expect(routines('with_defaults')).toEqual([
      {
        schema: 'test',
        physicalSchema: 'test',
        name: 'with_defaults',
        description: undefined,
        params: [
          { name: 'required', type: 'text', castType: 'text', isRequired: true, isVariadic: false },
          { name: 'optional', type: 'integer', castType: 'integer', isRequired: false, isVariadic: false },
          { name: 'other', type: 'boolean', castType: 'boolean', isRequired: false, isVariadic: false },
        ],
        returns: { isSet: false, kind: 'scalar', type: 'json', mediaType: undefined },
        volatility: 'immutable',
        hasVariadic: false,
        settings: {},
        isolationLevel: undefined,
      },
    ]);
  });

  test('results are told apart', () => {
    const clients = { schema: 'test', physicalSchema: 'test', name: 'clients' };
    const projects = { ...clients, name: 'projects' };
    const returned = (name: string) => routines(name)[0]?.returns;
    expect(returned('ret_void')).toEqual({ isSet: false, kind: 'void' });
    expect(returned('ret_setof_integers')).toEqual({
      isSet: true,
      kind: 'scalar',
      type: 'integer',
      mediaType: undefined,
    });
    expect(returned('ret_domain')).toEqual({
      isSet: false,
      kind: 'scalar',
      type: 'test.positive_int',
      mediaType: undefined,
    });
    expect(returned('ret_record')).toEqual({
      isSet: false,
      kind: 'scalar',
      type: 'record',
      mediaType: undefined,
    });
    const composite = { kind: 'composite', relation: undefined, isAlias: false };
    expect(returned('ret_composite')).toEqual({
      ...composite,
      isSet: false,
      type: 'test.dimensions',
      columns: ['width', 'height'],
    });
    expect(returned('ret_client')).toEqual({
      ...composite,
      isSet: false,
      type: 'test.clients',
      relation: clients,
    });
    expect(returned('getallprojects')).toEqual({
      ...composite,
      isSet: true,
      type: 'test.projects',
      relation: projects,
    });
    expect(returned('ret_domain_over_row')).toEqual({
      ...composite,
      isSet: false,
      type: 'test.client_row',
      relation: clients,
    });
    const rows = (type: string, columns: readonly string[]) => ({ ...composite, isSet: true, type, columns });
    expect(returned('ret_private')).toEqual(rows('private.actors', ['id', 'name']));
    const outputs = { ...composite, isSet: false, isAlias: true };
    expect(returned('ret_out')).toEqual({ ...outputs, type: 'record', columns: ['twice', 'thrice'] });
    expect(returned('ret_one_out')).toEqual({ ...outputs, type: 'integer', columns: ['twice'] });
    expect(returned('ret_table')).toEqual({ ...rows('record', ['n', 'square']), isAlias: true });
  });

  test('only arguments that go in are parameters, by their own names wherever they stand', () => {
    const names = (name: string) => routines(name)[0]?.params.map((param) => param.name);
    expect(names('ret_out_first')).toEqual(['a', 'b']);
    expect(names('ret_inout')).toEqual(['n']);
    expect(names('quoted_params')).toEqual(['Mixed Case', 'with space']);
  });

  test('types without a length are cast to their varying forms', () => {
    expect(routines('echo_bits')[0]?.params.map(({ type, castType }) => [type, castType])).toEqual([
      ['bit', 'bit varying'],
      ['bit[]', 'bit varying[]'],
      ['character', 'character varying'],
      ['character[]', 'character varying[]'],
    ]);
  });

  test('a variadic parameter is marked', () => {
    const [routine] = routines('variadic_param');
    expect(routine?.hasVariadic).toBe(true);
    expect(routine?.params).toEqual([
      { name: 'v', type: 'text[]', castType: 'text[]', isRequired: false, isVariadic: true },
    ]);
  });

  test('overloads are together, fewest parameters first', () => {
    expect(routines('overloaded').map(({ params }) => params.length)).toEqual([0, 2, 3]);
  });

  test('of unnamed parameters only a single one that takes a body can be called', () => {
    const unnamed = ['json', 'jsonb', 'text', 'bytea', 'xml', 'int'].map(
      (type) => routines(`unnamed_${type}`).length,
    );
    expect(unnamed).toEqual([1, 1, 1, 1, 1, 0]);
    expect(routines('always_true')).toEqual([]);
  });

  test('procedures, aggregates and trigger functions are no routines', () => {
    for (const name of ['a_procedure', 'an_aggregate', 'a_trigger', 'plain_agg'])
      expect(routines(name)).toEqual([]);
  });

  test('settings to hoist and the isolation level are the function’s own', () => {
    const [routine] = routines('with_settings');
    expect(routine?.settings).toEqual({ statement_timeout: '5s' });
    expect(routine?.isolationLevel).toBe('repeatable read');
    expect(routines('serializable_call')[0]?.isolationLevel).toBe('serializable');
    expect(routines('sayhello')[0]).toMatchObject({ settings: {}, isolationLevel: undefined });
  });

  test('the same function in two schemas returns each schema’s own rows', () => {
    const returned = (schema: string) => routines('get_parents_below', schema)[0]?.returns;
    expect(returned('v1')).toMatchObject({ relation: { schema: 'v1', name: 'parents' } });
    expect(returned('v2')).toMatchObject({ relation: { schema: 'v2', name: 'parents' } });
  });
});

test('media types are made by aggregates over one relation’s rows or any, and by functions', () => {
  const inTest = (name: string) => ({ schema: 'test', physicalSchema: 'test', name });
  expect(cache.mediaHandlers).toEqual([
    { mediaType: '*/*', relation: inTest('tiobe_pls'), aggregate: inTest('any_agg'), isBinary: true },
    {
      mediaType: 'application/vnd.lines',
      relation: inTest('projects'),
      aggregate: inTest('lines_agg'),
      isBinary: true,
    },
    { mediaType: 'text/plain', relation: undefined, aggregate: inTest('plain_agg') },
  ]);
  const made = ['hello_page', 'some_bytes', 'any_media'].map((name) => routines(name)[0]?.returns);
  expect(made).toEqual([
    { isSet: false, kind: 'scalar', type: 'test."text/html"', mediaType: 'text/html' },
    {
      isSet: false,
      kind: 'scalar',
      type: 'test."application/octet-stream"',
      mediaType: 'application/octet-stream',
      isBinary: true,
    },
    { isSet: false, kind: 'scalar', type: 'test."*/*"', mediaType: '*/*', isBinary: true },
  ]);
});

test('representations are implicit casts of the columns’ domains, assignment casts are not', () => {
  expect(cache.representations).toEqual([
    { sourceType: 'json', targetType: 'test.hex_color', functionName: 'test.hex_color_from_json' },
    { sourceType: 'test.hex_color', targetType: 'json', functionName: 'test.hex_color_to_json' },
    { sourceType: 'text', targetType: 'test.hex_color', functionName: 'test.hex_color_from_text' },
  ]);
});

test('a schema that does not exist is empty', async () => {
  const empty = await loadFrom(database.url, { schemas: ['nowhere'] });
  expect([empty.relations.size, empty.routines.size, empty.serverVersion]).toEqual([
    0,
    0,
    cache.serverVersion,
  ]);
});

test('a role without any privilege reads the same picture', async () => {
  const role = `nobody_${database.name}`;
  await runSql(database.url, `CREATE ROLE ${role} LOGIN`);
  try {
    const url = new URL(database.url);
    url.username = role;
    const seen = await loadFrom(url.href, {
      schemas: SCHEMAS,
      extraSearchPath: ['private'],
      hoistedSettings: HOISTED,
    });
    // A superuser is a member of every role, those of other test files as well.
    const { roleSettings: _, ...picture } = wholePicture(cache);
    expect({ ...wholePicture(seen), roleSettings: undefined }).toEqual({
      ...picture,
      roleSettings: undefined,
    });
  } finally {
    await runSql(database.url, `DROP ROLE ${role}`);
  }
});

test('a tenant’s schemas go by their logical names, its SQL by the physical ones', async () => {
  const tenant = await createTestDatabase({
    sql: `
      CREATE SCHEMA acme; CREATE SCHEMA acme_api; CREATE SCHEMA acme_other;
      CREATE TYPE acme.mood AS ENUM ('calm');
      CREATE TABLE acme.clients (id int PRIMARY KEY, mood acme.mood DEFAULT 'calm');
      CREATE TABLE acme_api.projects (id int PRIMARY KEY, client_id int REFERENCES acme.clients);
      CREATE TABLE acme_other.secrets (id int PRIMARY KEY, client_id int REFERENCES acme.clients);
      CREATE FUNCTION acme.all_clients() RETURNS SETOF acme.clients LANGUAGE sql AS 'SELECT * FROM acme.clients';
    `,
  });
  try {
    const loaded = await loadFrom(tenant.url, {
      naming: { schemaPrefix: 'acme', rolePrefix: 'acme' },
      schemas: ['public', 'api'],
    });
    const clients = { schema: 'public', physicalSchema: 'acme', name: 'clients' };
    const projects = { schema: 'api', physicalSchema: 'acme_api', name: 'projects' };
    expect([...loaded.relations.keys()]).toEqual([
      relationKey('public', 'clients'),
      relationKey('api', 'projects'),
    ]);
    expect(loaded.relations.get(relationKey('public', 'clients'))).toMatchObject(clients);
    expect(loaded.relations.get(relationKey('public', 'clients'))?.columns.get('mood')).toMatchObject({
      type: 'acme.mood',
      default: "'calm'::acme.mood",
    });
    expect(loaded.relationships.get(relationKey('public', 'clients'))).toMatchObject([
      { source: clients, target: projects, cardinality: { kind: 'o2m' } },
    ]);
    expect(loaded.routines.get(relationKey('public', 'all_clients'))).toMatchObject([
      { schema: 'public', physicalSchema: 'acme', returns: { kind: 'composite', relation: clients } },
    ]);
  } finally {
    await tenant.drop();
  }
});

test('settings of the tenant’s own roles are read, those of the database over those of the role', async () => {
  const prefix = `t${database.name}`;
  const [own, other] = [`${prefix}_user`, `other_${prefix}_user`];
  await runSql(
    database.url,
    `CREATE ROLE ${own}; CREATE ROLE ${other};
     ALTER ROLE ${own} SET statement_timeout = '3s'; ALTER ROLE ${own} SET work_mem = '8MB';
     ALTER ROLE ${own} IN DATABASE ${database.name} SET statement_timeout = '5s';
     ALTER ROLE ${own} SET search_path = evil; ALTER ROLE ${other} SET work_mem = '1MB'`,
  );
  try {
    const naming = { schemaPrefix: prefix, rolePrefix: prefix };
    const loaded = await loadFrom(database.url, { schemas: ['v1'], naming });
    expect(loaded.roleSettings).toEqual(new Map([[own, { statement_timeout: '5s', work_mem: '8MB' }]]));
    const all = await loadFrom(database.url, { schemas: ['v1'] });
    expect([...all.roleSettings.keys()]).toEqual(expect.arrayContaining([own, other]));
  } finally {
    await runSql(database.url, `DROP OWNED BY ${own}; DROP ROLE ${own}; DROP ROLE ${other}`);
  }
});

test('a load takes nine statements however large the schema is', async () => {
  const large = Array.from({ length: 150 }, (_, i) => {
    const parent = i === 0 ? '' : `, parent int REFERENCES big.table_${i - 1}`;
    return `CREATE TABLE big.table_${i} (id int PRIMARY KEY, name text${parent});
            CREATE VIEW big.view_${i} AS SELECT * FROM big.table_${i};`;
  });
  const big = await createTestDatabase({ sql: `CREATE SCHEMA big; ${large.join('\n')}` });
  const counts: number[] = [];
  try {
    const loaded = await loadSchemaCache(
      (statements) => {
        counts.push(statements.length);
        return runCatalog(big.url, statements);
      },
      {
        naming: { schemaPrefix: undefined, rolePrefix: undefined },
        schemas: ['big'],
        extraSearchPath: [],
        hoistedSettings: [],
      },
    );
    expect(loaded.relations.size).toBe(300);
    // each of the 149 keys connects a table and a view with a table and a view, both ways
    const relationships = [...loaded.relations.keys()].flatMap((key) => loaded.relationships.get(key) ?? []);
    expect(relationships).toHaveLength(149 * 4 * 2);
    expect(counts).toEqual([9]);
  } finally {
    await big.drop();
  }
});

test('other schemas’ objects are reached by no scan of a whole catalog', async () => {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query("SET search_path = ''; SET enable_seqscan = off; ANALYZE");
    const scanned: string[] = [];
    const explain = async (statements: Parameters<typeof runCatalog>[1]) => {
      for (const { text, values } of statements) {
        const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${text}`, [...values]);
        const lines = rows.map((row) => row['QUERY PLAN']);
        scanned.push(
          ...lines.filter((line) =>
            /Seq Scan on pg_(class|proc|type|attribute|constraint|rewrite|cast)/.test(line),
          ),
        );
      }
      return runCatalog(database.url, statements);
    };
    await loadSchemaCache(explain, {
      naming: { schemaPrefix: undefined, rolePrefix: undefined },
      schemas: ['v1'],
      extraSearchPath: [],
      hoistedSettings: [],
    });
    expect(scanned).toEqual([]);
  } finally {
    await client.end();
  }
});
