import { benchToken } from './tokens.ts';

/** Schema of the benchmark's tenant, and prefix of its roles. */
export const BENCH_TENANT = 'bench';
export const BENCH_HOST = 'bench.localhost';
/** The same in another tenant, sealed; the first is trusted, as the login that the other servers use. */
export const SEALED_TENANT = 'sealedbench';
export const SEALED_HOST = 'sealedbench.localhost';
export const ROWS = 10_000;

/** Run as the tenant's owner, with the tenant's schema as the only one searched. Portable: `anon` is the tenant's own. */
export const FIXTURE_SQL = `
CREATE TABLE public.categories (id bigint PRIMARY KEY, name text NOT NULL);
INSERT INTO public.categories SELECT i, 'category ' || i FROM generate_series(1, 100) i;
CREATE TABLE public.items (
  id bigint PRIMARY KEY,
  name text NOT NULL,
  price numeric(10, 2),
  category_id bigint NOT NULL REFERENCES public.categories,
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO public.items (id, name, price, category_id)
  SELECT i, 'item ' || i, i * 1.5, 1 + i % 100 FROM generate_series(1, ${ROWS}) i;
CREATE INDEX ON public.items (category_id, price);
CREATE TABLE public.notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text);
CREATE FUNCTION public.add_them(a integer, b integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
GRANT SELECT, INSERT, UPDATE, DELETE ON public.categories, public.items, public.notes TO anon, authenticated;
GRANT EXECUTE ON FUNCTION public.add_them TO anon, authenticated;
`;

/** Tenants besides, made when a scenario needs them. */
export const MANY_TENANTS: readonly string[] = Array.from({ length: 1_000 }, (_, i) => `t${i}`);
const MANY_ROWS = 100;

/** Twenty tables, as projects have them. */
export const MANY_TENANTS_SQL = `
CREATE TABLE items (
  id bigint PRIMARY KEY,
  name text NOT NULL,
  price numeric(10, 2),
  category_id bigint NOT NULL,
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO items (id, name, price, category_id)
  SELECT i, 'item ' || i, i * 1.5, 1 + i % 100 FROM generate_series(1, ${MANY_ROWS}) i;
${Array.from({ length: 19 }, (_, i) => `CREATE TABLE table_${i} (id bigint PRIMARY KEY, item_id bigint REFERENCES items, name text NOT NULL, amount numeric DEFAULT 0, made_at timestamptz DEFAULT now());`).join('\n')}`;

/** One kind of request. */
export interface Scenario {
  readonly name: string;
  readonly description: string;
  readonly method: 'GET' | 'POST' | 'PATCH';
  /** With every request. */
  readonly headers: Readonly<Record<string, string>>;
  /** The load goes through them in turn. */
  readonly requests: readonly BenchRequest[];
  readonly floor: FloorStatement;
  /** It needs the tenants of `MANY_TENANTS`, and PostgREST, which serves one, has no part in it. */
  readonly needsManyTenants?: true;
  /** Default: until a JIT has seen enough. */
  readonly warmUpSeconds?: number;
}

export interface BenchRequest {
  /** Below the REST endpoint, with its query. */
  readonly path: string;
  /** Besides those of the scenario. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Default: the target's own. */
  readonly host?: string;
}

/** The main statement of the floor. */
export interface FloorStatement {
  readonly sql: string;
  /** What its parameters are, in order: the request's body, the first number of its target. */
  readonly values: readonly ('body' | 'number')[];
  readonly accessMode: 'read only' | 'read write';
}

const READ_HEADERS = { accept: 'application/json' };
const WRITE_HEADERS = { 'content-type': 'application/json', prefer: 'return=minimal' };

const GUCS = `nullif(current_setting('response.headers', true), '') AS response_headers, nullif(current_setting('response.status', true), '') AS response_status`;
const COUNT = 'NULL::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total';

/** The statement that the gateway sends, around a source query. */
function read(source: string, values: FloorStatement['values'] = ['number']): FloorStatement {
  const sql = `WITH pgrst_source AS (${source}) SELECT ${COUNT}, coalesce(json_agg(_postgrest_t), '[]') AS body, ${GUCS} FROM (SELECT * FROM pgrst_source) _postgrest_t`;
  return { sql, values, accessMode: 'read only' };
}

/** The same for a change without rows in the answer. */
function write(source: string, values: FloorStatement['values']): FloorStatement {
  const sql = `WITH pgrst_source AS (${source} RETURNING 1) SELECT ${COUNT}, '' AS body, ${GUCS}, NULL::text AS location, NULL::text AS inserted FROM (SELECT * FROM pgrst_source) _postgrest_t`;
  return { sql, values, accessMode: 'read write' };
}

const items = `"${BENCH_TENANT}"."items"`;
const ROW_BY_KEY = read(`SELECT ${items}.* FROM ${items} WHERE ${items}."id" = $1`);
const PAYLOAD = '(SELECT $1::json AS json_data) pgrst_payload';

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'row-by-key',
    description: 'GET of one row by its primary key',
    method: 'GET',
    headers: READ_HEADERS,
    requests: everyNth(100).map((id) => ({ path: `/items?id=eq.${id}` })),
    floor: ROW_BY_KEY,
  },
  {
    name: 'row-with-token',
    description: 'The same with a token, 1,000 different ones in turn',
    method: 'GET',
    headers: READ_HEADERS,
    requests: everyNth(10).map((id) => ({
      path: `/items?id=eq.${id}`,
      headers: { authorization: `Bearer ${benchToken(id)}` },
    })),
    floor: ROW_BY_KEY,
  },
  {
    name: 'list-of-100',
    description: 'GET of 100 rows of three columns, filtered and ordered',
    method: 'GET',
    headers: READ_HEADERS,
    requests: everyNth(1000).map((id) => ({
      path: `/items?select=id,name,price&id=gt.${id - 900}&order=id&limit=100`,
    })),
    floor: read(
      `SELECT ${items}."id" AS "id", ${items}."name" AS "name", ${items}."price" AS "price" FROM ${items} WHERE ${items}."id" > $1 ORDER BY ${items}."id" LIMIT 100`,
    ),
  },
  {
    name: 'filter-and-order',
    description: 'GET of 20 rows by two filters, ordered by two columns',
    method: 'GET',
    headers: READ_HEADERS,
    requests: everyNth(100).map((n) => ({
      path: `/items?category_id=eq.${n / 100}&is_active=is.true&select=id,name,price&order=price.desc,id&limit=20`,
    })),
    floor: read(
      `SELECT ${items}."id" AS "id", ${items}."name" AS "name", ${items}."price" AS "price" FROM ${items} WHERE ${items}."category_id" = $1 AND ${items}."is_active" IS TRUE ORDER BY ${items}."price" DESC, ${items}."id" LIMIT 20`,
    ),
  },
  {
    name: 'embed',
    description: 'GET of one row with the row it refers to',
    method: 'GET',
    headers: READ_HEADERS,
    requests: everyNth(100).map((id) => ({ path: `/items?id=eq.${id}&select=id,name,categories(id,name)` })),
    floor: read(
      `SELECT ${items}."id" AS "id", ${items}."name" AS "name", row_to_json("items_categories_1".*)::jsonb AS "categories" FROM ${items} LEFT JOIN LATERAL (SELECT "categories_1"."id" AS "id", "categories_1"."name" AS "name" FROM "${BENCH_TENANT}"."categories" AS "categories_1" WHERE "categories_1"."id" = ${items}."category_id") AS "items_categories_1" ON TRUE WHERE ${items}."id" = $1`,
    ),
  },
  {
    name: 'insert',
    description: 'POST of one row, return=minimal',
    method: 'POST',
    headers: WRITE_HEADERS,
    requests: [{ path: '/notes', body: '{"body":"a short note"}' }],
    floor: write(
      `INSERT INTO "${BENCH_TENANT}"."notes"("body") SELECT "pgrst_body"."body" FROM ${PAYLOAD}, LATERAL (SELECT "body" FROM json_to_record(pgrst_payload.json_data) AS _("body" text)) pgrst_body`,
      ['body'],
    ),
  },
  {
    name: 'bulk-insert',
    description: 'POST of 100 rows, return=minimal',
    method: 'POST',
    headers: WRITE_HEADERS,
    requests: [
      {
        path: '/notes',
        body: JSON.stringify(Array.from({ length: 100 }, (_, i) => ({ body: `note number ${i}` }))),
      },
    ],
    floor: write(
      `INSERT INTO "${BENCH_TENANT}"."notes"("body") SELECT "pgrst_body"."body" FROM ${PAYLOAD}, LATERAL (SELECT "body" FROM json_to_recordset(pgrst_payload.json_data) AS _("body" text)) pgrst_body`,
      ['body'],
    ),
  },
  {
    name: 'update',
    description: 'PATCH of one row by its primary key, return=minimal',
    method: 'PATCH',
    headers: WRITE_HEADERS,
    requests: everyNth(10).map((id) => ({ path: `/items?id=eq.${id}`, body: '{"price":12.5}' })),
    floor: write(
      `UPDATE ${items} SET "price" = "pgrst_body"."price" FROM ${PAYLOAD}, LATERAL (SELECT "price" FROM json_to_record(pgrst_payload.json_data) AS _("price" numeric(10,2)) LIMIT 1) pgrst_body WHERE ${items}."id" = $2`,
      ['body', 'number'],
    ),
  },
  {
    name: 'rpc',
    description: 'POST to a function of two integers',
    method: 'POST',
    headers: { ...READ_HEADERS, 'content-type': 'application/json' },
    requests: [{ path: '/rpc/add_them', body: '{"a":1,"b":2}' }],
    floor: {
      sql: `WITH pgrst_source AS (SELECT pgrst_call.pgrst_scalar FROM (SELECT * FROM json_to_record($1::json) AS _("a" integer, "b" integer) LIMIT 1) "pgrst_body", LATERAL (SELECT "${BENCH_TENANT}"."add_them"("a" := "pgrst_body"."a", "b" := "pgrst_body"."b") pgrst_scalar OFFSET 0) pgrst_call) SELECT NULL::bigint AS total_result_set, greatest(pg_catalog.count(_postgrest_t), 1) AS page_total, coalesce(json_agg(_postgrest_t.pgrst_scalar)->0, 'null') AS body, ${GUCS} FROM (SELECT "add_them".* FROM "pgrst_source" AS "add_them") _postgrest_t`,
      values: ['body'],
      accessMode: 'read only',
    },
  },
  {
    name: 'one-tenant-of-many',
    description: 'GET of one row by its primary key, of one tenant among 1,000 with 20 tables each',
    method: 'GET',
    headers: READ_HEADERS,
    requests: ofTenants(MANY_TENANTS.slice(0, 1)),
    floor: ROW_BY_KEY,
    needsManyTenants: true,
  },
  {
    name: 'tenants-at-random',
    description: 'The same of all 1,000 tenants',
    method: 'GET',
    headers: READ_HEADERS,
    requests: ofTenants(MANY_TENANTS),
    floor: ROW_BY_KEY,
    needsManyTenants: true,
    // Until the sessions know all tenants: as long as a gateway runs, that is once.
    warmUpSeconds: 45,
  },
];

/** A row by its key of each of these tenants, in an order that repeats only after all of them. */
function ofTenants(tenants: readonly string[]): readonly BenchRequest[] {
  // 379 has no divisor in common with a thousand: each tenant once, far from the one before.
  return MANY_TENANTS.map((_, i) => ({
    path: `/items?id=eq.${1 + (i % MANY_ROWS)}`,
    host: `${tenants[(i * 379) % tenants.length]}.localhost`,
  }));
}

function everyNth(step: number): readonly number[] {
  return Array.from({ length: ROWS / step }, (_, index) => (index + 1) * step);
}
