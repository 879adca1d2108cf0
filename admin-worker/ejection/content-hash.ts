import type { ClientBase } from 'pg';
import { quoteIdent } from '../../gateway/platform/sql.ts';
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

/** Texts of rows must not depend on the settings of the server, the database or the role. */
const CANONICAL = `
  SET LOCAL search_path = ''; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC';
  SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; SET LOCAL lc_monetary = 'C'; SET LOCAL xmloption = 'content';
  SET LOCAL row_security = off; SET LOCAL statement_timeout = 0;`;

/**
 * Reads all rows of the tables that hold any, in one snapshot.
 *
 * @param client not in a transaction, with a role that row-level security leaves alone: with any other the query fails, it does not see less
 * @param options.by `counts` is quicker and finds missing rows only
 */
export async function readTableContents(
  client: ClientBase,
  { tables, by }: { readonly tables: readonly TenantTable[]; readonly by: VerifyBy },
): Promise<readonly TableContents[]> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    await client.query(CANONICAL);
    const contents: TableContents[] = [];
    for (const { schema, name } of tables.filter(({ isPartitioned }) => !isPartitioned)) {
      const table = `${quoteIdent(schema)}.${quoteIdent(name)}`;
      const { rows } = await client.query<{ rows: string; hash: string | null }>(
        `SELECT count(*)::text AS rows, ${by === 'contents' ? HASH : 'NULL'} AS hash FROM ONLY ${table} AS t`,
      );
      contents.push({ table, rows: rows[0]!.rows, hash: rows[0]!.hash ?? undefined });
    }
    return contents;
  } finally {
    await client.query('ROLLBACK').catch(() => undefined); // The query that failed has told why.
  }
}

/** Both halves of each row's MD5, summed. A sum finds a row that is there twice, which XOR would not. */
const HASH = `
  concat(
    COALESCE(sum(('x' || left(md5(t::text), 16))::bit(64)::bigint::numeric), 0), '/',
    COALESCE(sum(('x' || right(md5(t::text), 16))::bit(64)::bigint::numeric), 0))`;

/** One sentence for each table whose contents differ. */
export function differences(
  before: readonly TableContents[],
  after: readonly TableContents[],
): readonly string[] {
  const found = new Map(after.map((contents) => [contents.table, contents]));
  return before.flatMap(({ table, rows, hash }) => {
    const other = found.get(table);
    if (other === undefined) return [`${table} is missing`];
    if (other.rows !== rows) return [`${table} has ${other.rows} rows instead of ${rows}`];
    return other.hash === hash ? [] : [`${table} has the same number of rows, but not the same ones`];
  });
}
