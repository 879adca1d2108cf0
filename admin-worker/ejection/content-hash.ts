import type { ClientBase } from 'pg';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import { CANONICAL_SETTINGS, rowHash } from '../postgres-tools/row-hash.ts';
import type { TenantTable } from './moving-tenant.ts';

/** What is in a table: equal for equal rows, in whatever order they lie. */
export interface TableContents {
  /** `acme.books`, quoted where that is needed. */
  readonly table: string;
  readonly rows: string;
  /** Sum of a hash of each row; absent where only the rows were counted. */
  readonly hash: string | undefined;
}

export type VerifyBy = 'contents' | 'counts';

type Queryable = Pick<ClientBase, 'query'>;

/** Has every statement of the session read rows as `readTableContents` does. Rows that are looked for by their keys are found by an index. */
export async function readCanonically(client: Queryable): Promise<void> {
  const settings = [...CANONICAL_SETTINGS, 'enable_hashjoin = off', 'enable_mergejoin = off'];
  await client.query(settings.map((setting) => `SET ${setting}`).join(';'));
}

export function quotedTable({ schema, name }: Pick<TenantTable, 'schema' | 'name'>): string {
  return `${quoteIdent(schema)}.${quoteIdent(name)}`;
}

/**
 * Reads all rows of the tables that hold any, in one snapshot.
 *
 * @param client not in a transaction, with a role that row-level security leaves alone: with any other the query fails, it does not see less
 * @param options.by `counts` is quicker and finds missing rows only
 */
export async function readTableContents(
  client: Queryable,
  { tables, by }: { readonly tables: readonly TenantTable[]; readonly by: VerifyBy },
): Promise<readonly TableContents[]> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    await client.query(CANONICAL_SETTINGS.map((setting) => `SET LOCAL ${setting}`).join(';'));
    const contents: TableContents[] = [];
    for (const table of tables.filter(({ isPartitioned }) => !isPartitioned)) {
      contents.push(await readTable(client, table, by));
    }
    return contents;
  } finally {
    await client.query('ROLLBACK').catch(() => undefined); // The query that failed has told why.
  }
}

/** Reads all rows of one table, in the session and the snapshot that the caller has made ready. */
export async function readTable(
  client: Queryable,
  table: Pick<TenantTable, 'schema' | 'name'>,
  by: VerifyBy,
): Promise<TableContents> {
  const name = quotedTable(table);
  const { rows } = await client.query<{ rows: string; hash: string | null }>(
    by === 'counts'
      ? `SELECT count(*)::text AS rows, NULL AS hash FROM ONLY ${name}`
      : // OFFSET keeps the row's text from being made twice.
        `SELECT count(*)::text AS rows, concat(COALESCE(sum(${FIRST_HALF}), 0), '/', COALESCE(sum(${SECOND_HALF}), 0)) AS hash
         FROM (SELECT ${ROW_TEXT} AS h FROM ONLY ${name} AS t OFFSET 0) AS hashed`,
  );
  return { table: name, rows: rows[0]!.rows, hash: rows[0]!.hash ?? undefined };
}

/** Not `t::text`: the owner of a table may make a cast of its rows to text, and we are superuser here. */
const ROW_TEXT = 'pg_catalog.record_out(t)::text';

/** Of the row's text `h`. */
const FIRST_HALF = rowHash('h', 0);
const SECOND_HALF = rowHash('h', 1);

/** A column of a key, with its type's name as SQL has it whatever the search path. */
export interface KeyColumn {
  readonly name: string;
  readonly type: string;
}

/** What is found of one row: its parts of the table's sum. `counts`: only that it is there. */
export type RowHash = readonly [bigint, bigint];

/**
 * Looks up rows by their keys.
 *
 * @param client after `readCanonically`
 * @returns by the key's place in `keys`; rows that are not there are absent
 */
export async function readRows(
  client: Queryable,
  {
    table,
    columns,
    keys,
    by,
  }: {
    readonly table: Pick<TenantTable, 'schema' | 'name'>;
    readonly columns: readonly KeyColumn[];
    readonly keys: readonly (readonly string[])[];
    readonly by: VerifyBy;
  },
): Promise<ReadonlyMap<number, RowHash>> {
  if (keys.length === 0) return new Map();
  const given = columns.map((_, index) => `k${index}`);
  const { rows } = await client.query<{ i: string; a: string; b: string }>(
    `SELECT i::text, ${by === 'counts' ? `'0' AS a, '0' AS b` : `${FIRST_HALF}::text AS a, ${SECOND_HALF}::text AS b`}
     FROM (
       SELECT u.i, ${by === 'counts' ? 'NULL' : ROW_TEXT} AS h
       FROM unnest(${given.map((_, index) => `$${index + 1}::text[]`).join(', ')}) WITH ORDINALITY AS u(${given.join(', ')}, i)
       JOIN ONLY ${quotedTable(table)} AS t
         ON ${columns.map(({ name, type }, index) => `t.${quoteIdent(name)} = u.k${index}::${type}`).join(' AND ')}
       OFFSET 0) AS hashed`,
    columns.map((_, index) => keys.map((key) => key[index])),
  );
  return new Map(rows.map(({ i, a, b }) => [Number(i) - 1, [BigInt(a), BigInt(b)]]));
}

/** One sentence for each table whose contents differ. */
export function differences(
  before: readonly TableContents[],
  after: readonly TableContents[],
): readonly string[] {
  const found = new Map(after.map((contents) => [contents.table, contents]));
  return before.flatMap((contents) => difference(contents, found.get(contents.table)));
}

/** @param other what should be the same */
export function difference(
  { table, rows, hash }: TableContents,
  other: TableContents | undefined,
): readonly string[] {
  if (other === undefined) return [`${table} is missing`];
  if (other.rows !== rows) return [`${table} has ${other.rows} rows instead of ${rows}`];
  return other.hash === hash ? [] : [`${table} has the same number of rows, but not the same ones`];
}
