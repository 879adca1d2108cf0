import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { Client, DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { parseApiRequest } from '../../api-request/parse-api-request.ts';
import { GatewayError } from '../../errors/gateway-error.ts';
import type { DatabasePlan } from '../../plan/action-plan.ts';
import { planAction } from '../../plan/plan-action.ts';
import type { SqlStatement } from '../../platform/sql.ts';
import { buildMainQuery } from '../../query/build-main-query.ts';
import { isNameOfRows, isNameOfType } from '../../schema-cache/known-names.ts';
import type { SchemaCache } from '../../schema-cache/schema-cache.ts';
import { loadFrom } from '../support/run-catalog.ts';
import { aTenant } from '../support/tenant-builder.ts';

/** More with CLIENT_NAMES_RUNS. */
const RUNS = Number(process.env.CLIENT_NAMES_RUNS ?? 500);

const words = (text: string): readonly string[] => text.split(' ');
/** In every alias, and in nothing that the database has. */
const MARK = 'Ω';
const ALIASES = [
  ...words(`x y id " \\ it's %L $1 { } ключ 😀 pgrst_c0 * , a"b\\c pgrst_scalar`),
  ...['a b', 'é'.repeat(40), 'x'.repeat(70), '\t\n\u0001\u007f'],
].map((text) => `${MARK}${text}`);

const quoted = (name: string): string => `"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
const alias = fc.oneof(
  { arbitrary: fc.constant(''), weight: 2 },
  { arbitrary: fc.constantFrom(...ALIASES.slice(0, 3)).map((name) => `${name}:`), weight: 2 },
  fc.constantFrom(...ALIASES).map((name) => `${quoted(name)}:`),
);
const listOf = (item: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.array(item, { minLength: 1, maxLength: 4 }).map((items) => items.join(','));
const columns = (names: string): fc.Arbitrary<string> =>
  fc.tuple(alias, fc.constantFrom(...words(names))).map((parts) => parts.join(''));

type Embeds = {
  readonly clients: string;
  readonly projects: string;
  readonly tasks: string;
  readonly users: string;
  readonly pairs: string;
};
const inner = fc.constantFrom('', '', '!inner');
const embed = (
  name: string,
  list: fc.Arbitrary<string>,
  heads: readonly string[] = ['', '', '...'],
): fc.Arbitrary<string> =>
  fc
    .tuple(fc.oneof(alias, fc.constantFrom(...heads)), inner, list)
    .map(([head, join, items]) => `${head}${name}${join}(${items})`);
const usually = (usual: fc.Arbitrary<string>, other: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    { arbitrary: usual, weight: 3 },
    { arbitrary: other, weight: 1 },
  );
/** Selects of each relation, by what is embedded in it. */
const selects = fc.letrec<Embeds>((tie) => ({
  clients: listOf(usually(columns('id name * name::text id.count()'), embed('projects', tie('projects')))),
  projects: listOf(
    usually(
      columns('id name * client_id id::text name->x id.sum() count() shouted'),
      fc.oneof(embed('clients', tie('clients')), embed('tasks', tie('tasks'))),
    ),
  ),
  tasks: listOf(
    usually(
      columns('id name project_id *'),
      fc.oneof(embed('projects', tie('projects')), embed('users', tie('users'))),
    ),
  ),
  users: listOf(usually(columns('id name *'), embed('tasks', tie('tasks')))),
  pairs: listOf(
    usually(
      columns('user_id task_id *'),
      fc.oneof(embed('users', tie('users')), embed('tasks', tie('tasks'))),
    ),
  ),
}));
const ofTypes = listOf(
  columns(
    '* id bool big exact float char bits date timestamptz interval bytea json jsonb texts ints during document color colors size sizes positive email inet xml ' +
      'json->a jsonb->name->>first jsonb->name jsonb->tags->0 size->width sizes->0->width json->>b texts::text size::text',
  ),
);
const targets = fc.oneof(
  fc.tuple(fc.constant('/clients'), selects.clients),
  fc.tuple(
    fc.constantFrom('/projects', '/projects', '/rpc/getallprojects', '/rpc/getproject?id=1'),
    selects.projects,
  ),
  fc.tuple(fc.constant('/tasks'), selects.tasks),
  fc.tuple(fc.constant('/users_tasks'), selects.pairs),
  fc.tuple(fc.constant('/users'), selects.users),
  fc.tuple(fc.constant('/all_types'), ofTypes),
  fc.tuple(fc.constant('/rpc/ret_table?up_to=4'), listOf(columns('n square *'))),
  fc.tuple(fc.constant('/rpc/ret_composite'), listOf(columns('width height *'))),
  fc.tuple(
    fc.constant('/rpc/ret_setof_integers'),
    fc
      .tuple(alias, fc.constantFrom('pgrst_scalar', '*', 'pgrst_scalar,id:pgrst_scalar'))
      .map((parts) => parts.join('')),
  ),
  fc.tuple(fc.constant('/paints'), listOf(columns('id name color * color->x'))),
);
const extras = fc.constantFrom(
  ...[
    '',
    '',
    '',
    'limit=1',
    'limit=0',
    'id=eq.1',
    'id=eq.-1',
    'order=name.desc,id',
    'order=clients(name),id',
    'cursor=after.&limit=2',
  ],
);
const accepts = fc.constantFrom(
  ...[
    'application/json',
    'application/json',
    'application/json',
    'text/csv',
    'application/geo+json',
    'application/x-ndjson',
  ],
  ...['application/vnd.pgrst.object+json', 'application/vnd.pgrst.array+json;nulls=stripped'],
  ...['application/vnd.pgrst.object+json;nulls=stripped'],
);
const requests = fc.record({
  target: targets,
  extra: extras,
  accept: accepts,
  method: fc.constantFrom('GET', 'GET', 'GET', 'DELETE', 'PATCH'),
});

const tenant = aTenant({
  naming: { schemaPrefix: undefined, rolePrefix: undefined },
  postgrest: { 'db-schemas': 'test', 'db-aggregates-enabled': true, 'cascata-keyset-enabled': true },
});

let database: TestDatabase;
let client: Client;
let cache: SchemaCache;

beforeAll(async () => {
  database = await createTestDatabase({
    sql: await readFile(new URL('../support/fixture.sql', import.meta.url), 'utf8'),
  });
  client = new Client({ connectionString: database.url });
  await client.connect();
  // What PostGIS writes, as it writes it.
  await client.query(`SET search_path = test; CREATE FUNCTION test.st_asgeojson(record) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
    RETURN '{"type": "Feature", "geometry": {"type":"Point","coordinates":[1,2]}, "properties": {' ||
      (SELECT coalesce(string_agg(to_json(key)::text || ': ' || value::text, ', '), '') FROM json_each(row_to_json($1))) || '}}'; END $$`);
  cache = await loadFrom(database.url, { schemas: ['test'] });
});
afterAll(async () => {
  await client?.end();
  await database?.drop();
});

type Built = readonly SqlStatement[] | GatewayError;

/** The statements as they are, and as they were with the client's names in quotes. */
function build({
  target: [path, select],
  extra,
  accept,
  method,
}: RequestSpec): { readonly neutral: Built; readonly named: Built } | undefined {
  const [route, own = ''] = path.split('?') as [string, string?];
  const isWrite = method !== 'GET' && !route.startsWith('/rpc/');
  const rawQuery = [own, `select=${encodeURIComponent(select)}`, extra].filter(Boolean).join('&');
  const body = isWrite && method === 'PATCH' ? new TextEncoder().encode('{"name":"new"}') : undefined;
  const headers = { accept, ...(isWrite ? { prefer: 'return=representation' } : {}) };
  const parsed = tried(() => {
    const request = parseApiRequest(
      { method: isWrite ? method : 'GET', path: route, rawQuery, headers, body },
      tenant.settings,
    );
    return { request, plan: planAction(request, cache, tenant.settings) as RowsPlan };
  });
  if (parsed instanceof GatewayError || !parsed.plan.read.hasClientNames) return undefined;
  const { request, plan } = parsed;
  const named = { ...plan, read: { ...plan.read, hasClientNames: false } };
  return {
    neutral: tried(() => buildMainQuery(plan, request, tenant).statements),
    named: tried(() => buildMainQuery(named, request, tenant).statements),
  };
}

type RowsPlan = Exclude<DatabasePlan, { kind: 'inspect-root' }>;

function tried<T>(run: () => T): T | GatewayError {
  try {
    return run();
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
}

type RequestSpec = typeof requests extends fc.Arbitrary<infer Spec> ? Spec : never;

/** Rows of all statements, or the error; undone. */
async function answerOf(statements: Built, withTexts = false): Promise<unknown> {
  if (statements instanceof GatewayError) {
    const { code, message, hint } = statements;
    return withTexts ? { code, message, hint } : { code };
  }
  await client.query('BEGIN');
  try {
    const answers: unknown[] = [];
    for (const { text, values } of statements) {
      const types = { getTypeParser: () => String };
      answers.push((await client.query({ text, values: [...values], rowMode: 'array', types })).rows);
    }
    return answers;
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    const { code, message, hint } = error;
    return withTexts ? { code, message, hint } : { code };
  } finally {
    await client.query('ROLLBACK');
  }
}

function isOfClass42(answer: unknown): boolean {
  return typeof answer === 'object' && answer !== null && 'code' in answer && /^42/.test(String(answer.code));
}

describe('a select with names of the client’s own', () => {
  test('has the bytes that it would have were they names of columns, and no statement has them', async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(requests, async (spec) => {
        const built = build(spec);
        if (built === undefined) return;
        compared++;
        const { neutral, named } = built;
        if (Array.isArray(neutral))
          expect(JSON.stringify(neutral.map(({ text }) => text))).not.toContain(MARK);
        const [answer, expected] = [await answerOf(neutral), await answerOf(named)];
        // Of two faults either may be told; and looking for a hint PostgreSQL comes upon names that are there twice.
        expect(isOfClass42(answer) && isOfClass42(expected) ? expected : answer).toEqual(expected);
      }),
      { numRuns: RUNS },
    );
    expect(compared).toBeGreaterThan(RUNS / 3);
  });
});

/** One that leaves every name to PostgreSQL. */
function trustingCache(): SchemaCache {
  const everything = { has: () => true } as unknown as ReadonlySet<string>;
  return { ...cache, names: { functions: everything, types: everything } };
}

const misspelt = fc.constantFrom(
  ...words('nmae nam names idd client_di client projectid n pgrst_call oid xmin cti x Name ident pi_d'),
  ...['na me', 'n"ame', 'Ωname', 'ключ', 'x'.repeat(80)],
);
const missing = fc.oneof(
  fc.tuple(
    misspelt,
    fc.constantFrom(
      ...[
        'GET /projects?select=@',
        'GET /projects?select=id,@::text',
        'GET /projects?select=x:@->a',
        'GET /projects?select=@.sum()',
      ],
      ...[
        'GET /projects?@=eq.1',
        'GET /projects?order=@',
        'GET /projects?or=(@.eq.1,id.eq.1)',
        'GET /projects?@->a=eq.1',
      ],
      ...['GET /projects?select=id,clients(@)', 'GET /projects?select=id,clients(name)&clients.@=eq.1'],
      ...[
        'GET /projects?select=clients(name)&order=clients(@)',
        'GET /clients?select=x:projects(@)',
        'GET /projects?select=...clients(@)',
      ],
      ...[
        'GET /rpc/getallprojects?select=@',
        'GET /rpc/getallprojects?select=*,@',
        'GET /rpc/getallprojects?order=@',
      ],
      ...['GET /rpc/ret_table?up_to=1&select=@', 'GET /rpc/ret_composite?select=@'],
      ...[
        'GET /rpc/ret_setof_integers?select=@',
        'GET /rpc/ret_private?select=@',
        'GET /rpc/ret_domain_over_row?select=@',
      ],
      ...[
        'PATCH /projects?@=eq.1',
        'PATCH /projects?id=eq.1&select=@',
        'DELETE /projects?@=eq.1',
        'DELETE /projects?id=eq.1&select=id,@',
      ],
      ...['POST /clients?select=@', 'POST /clients?on_conflict=@', 'POST /clients?on_conflict=id,@'],
    ),
  ),
  fc.tuple(
    fc.constantFrom(
      ...words('int4 INT color nope _color _int4 dimensions citext int8range record größe clients'),
    ),
    fc.constantFrom(
      'GET /projects?select=id::@',
      'GET /projects?select=id::@ array',
      'GET /projects?select=id.sum()::@',
    ),
  ),
);

describe('a name that is nowhere', () => {
  test('is missed as PostgreSQL misses it, in no statement', async () => {
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(missing, async ([name, line]) => {
        const given = /::@/.test(line) ? name : quoted(name);
        const [method = '', target = ''] = line.replace('@', encodeURIComponent(given)).split(/ (.*)/s);
        const [path = '', rawQuery = ''] = target.split(/\?(.*)/s);
        const headers = { prefer: 'return=representation,resolution=merge-duplicates' };
        const payload = method === 'POST' ? '{"id":1,"name":"x"}' : '{"name":"x"}';
        const body = /POST|PATCH/.test(method) ? new TextEncoder().encode(payload) : undefined;
        const built = (picture: SchemaCache): Built =>
          tried(() => {
            const request = parseApiRequest({ method, path, rawQuery, headers, body }, tenant.settings);
            return buildMainQuery(planAction(request, picture, tenant.settings) as RowsPlan, request, tenant)
              .statements;
          });
        const ours = built(cache);
        const trusting = built(trustingCache());
        if (!(ours instanceof GatewayError)) return void expect(ours).toEqual(trusting);
        const theirs = await answerOf(trusting, true);
        refused++;
        expect(ours.status).toBe(400);
        expect({ code: ours.code, message: ours.message, hint: ours.hint }).toEqual(theirs);
      }),
      { numRuns: RUNS },
    );
    expect(refused).toBeGreaterThan(RUNS / 3);
  });
});

describe('PostgreSQL’s own names', () => {
  test('that a row answers to, or that can be cast to, are all known', async () => {
    const { rows } = await client.query<{ kind: string; name: string }>(
      `SELECT DISTINCT 'row' AS kind, proname::text AS name FROM pg_catalog.pg_proc
        WHERE pronamespace = 11 AND prokind IN ('f', 'a') AND pronargs >= 1 AND pronargs - pronargdefaults <= 1
          AND proargtypes[0] IN (2249, 2283, 2276, 2776, 5077, 5079)
      UNION ALL SELECT 'row', attname FROM pg_catalog.pg_attribute WHERE attrelid = 'test.projects'::regclass AND attnum < 0
      UNION ALL SELECT 'type', typname FROM pg_catalog.pg_type WHERE typnamespace = 11 AND typtype <> 'c' AND typname !~ '^_?pg_(toast|temp)'`,
    );
    const unknown = rows.filter(({ kind, name }) =>
      kind === 'row' ? !isNameOfRows(cache.names, name) : !isNameOfType(cache.names, name),
    );
    // Arrays of rows of catalogs have names too.
    expect(unknown.filter(({ name }) => !name.startsWith('_pg_'))).toEqual([]);
  });
});
