/** Schema of the benchmark's tenant, and prefix of its roles. */
export const BENCH_TENANT = 'bench';
export const BENCH_HOST = 'bench.localhost';
export const ROWS = 10_000;

/** Run as the tenant's owner, with the tenant's schema as the only one searched. Portable: `anon` is the tenant's own. */
export const FIXTURE_SQL = `
CREATE TABLE public.items (
  id bigint PRIMARY KEY,
  name text NOT NULL,
  price numeric(10, 2),
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO public.items (id, name, price) SELECT i, 'item ' || i, i * 1.5 FROM generate_series(1, ${ROWS}) i;
CREATE TABLE public.notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text);
CREATE FUNCTION public.add_them(a integer, b integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
GRANT SELECT, INSERT, UPDATE, DELETE ON public.items, public.notes TO anon;
GRANT EXECUTE ON FUNCTION public.add_them TO anon;
`;

/** One kind of request. */
export interface Scenario {
  readonly name: string;
  readonly description: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** Paths below the REST endpoint; the load goes through them in turn. */
  readonly paths: readonly string[];
  /** Main query of the floor, with `$1` for the first number in the path. The floor is only there where this is. */
  readonly floorSql: string | undefined;
}

const READ_HEADERS = { accept: 'application/json' };
const WRITE_HEADERS = { 'content-type': 'application/json', prefer: 'return=minimal' };

/** The statement PostgREST would send, around a source query. */
function mainQuery(source: string): string {
  return `WITH pgrst_source AS (${source}) SELECT null::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]')::text AS body, nullif(current_setting('response.headers', true), '') AS response_headers, nullif(current_setting('response.status', true), '') AS response_status FROM (SELECT * FROM pgrst_source) _postgrest_t`;
}

const table = `"${BENCH_TENANT}"."items"`;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'row-by-key',
    description: 'GET of one row by its primary key',
    method: 'GET',
    headers: READ_HEADERS,
    body: undefined,
    paths: everyNth(100).map((id) => `/items?id=eq.${id}`),
    floorSql: mainQuery(`SELECT ${table}.* FROM ${table} WHERE ${table}."id" = $1`),
  },
  {
    name: 'list-of-100',
    description: 'GET of 100 rows of three columns, filtered and ordered',
    method: 'GET',
    headers: READ_HEADERS,
    body: undefined,
    paths: everyNth(1000).map((id) => `/items?select=id,name,price&id=gt.${id - 900}&order=id&limit=100`),
    floorSql: mainQuery(
      `SELECT ${table}."id", ${table}."name", ${table}."price" FROM ${table} WHERE ${table}."id" > $1 ORDER BY ${table}."id" LIMIT 100`,
    ),
  },
  {
    name: 'insert',
    description: 'POST of one row, return=minimal',
    method: 'POST',
    headers: WRITE_HEADERS,
    body: '{"body":"a short note"}',
    paths: ['/notes'],
    floorSql: undefined,
  },
  {
    name: 'rpc',
    description: 'POST to a function of two integers',
    method: 'POST',
    headers: { ...READ_HEADERS, 'content-type': 'application/json' },
    body: '{"a":1,"b":2}',
    paths: ['/rpc/add_them'],
    floorSql: undefined,
  },
];

function everyNth(step: number): readonly number[] {
  return Array.from({ length: ROWS / step }, (_, index) => (index + 1) * step);
}
