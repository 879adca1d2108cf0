import type { ClientBase } from 'pg';
import { z } from 'zod';
import { quoteIdent } from '../../gateway/platform/sql.ts';

export const TableDigest = z.strictObject({
  schema: z.string(),
  name: z.string(),
  rows: z.string().regex(/^\d+$/),
  /** A sum over all rows; see `docs/caf.md`. */
  digest: z.string(),
});
export type TableDigest = z.output<typeof TableDigest>;

/** Types write values differently under other settings; these are the ones digests are made under. */
export const DIGEST_SETTINGS = `
  SET LOCAL search_path = pg_catalog;
  SET LOCAL timezone = 'UTC';
  SET LOCAL datestyle = 'ISO, YMD';
  SET LOCAL intervalstyle = 'iso_8601';
  SET LOCAL extra_float_digits = 3;
  SET LOCAL bytea_output = 'hex';
  SET LOCAL lc_monetary = 'C';
  SET LOCAL xmloption = 'content';
  SET LOCAL row_security = off;
  SET LOCAL statement_timeout = 0;
  SET LOCAL jit = off;
  SET LOCAL max_parallel_workers_per_gather = 2;`;

/**
 * Row count and digest of every table with rows of its own, by schema and name: partitions rather than what they are partitions of. Materialized
 * views are left out, they follow from the rest, as are foreign tables.
 *
 * @param client in a transaction with `DIGEST_SETTINGS`
 */
export async function digestTables(
  client: ClientBase,
  schemas: readonly string[],
  onTable: (share: number, name: string) => Promise<void>,
): Promise<readonly TableDigest[]> {
  const { rows: tables } = await client.query<{ schema: string; name: string; columns: string[] }>(TABLES, [
    schemas,
  ]);
  const digests: TableDigest[] = [];
  for (const [index, { schema, name, columns }] of tables.entries()) {
    await onTable(index / tables.length, `${schema}.${name}`);
    const { rows } = await client.query<{ rows: string; digest: string }>(digestSql(schema, name, columns));
    digests.push({ schema, name, ...rows[0]! });
  }
  return digests;
}

/**
 * The sum, and so the order of rows does not matter, of a 64-bit hash of each row's text: the one by which PostgreSQL places rows in partitions, which it cannot change any more. It is four
 * times as fast as a SHA-256 made fit for sums, and finds what a fault does; against whoever means harm there is the seal. An anonymous row, since a cast to text may be defined for the table's own type.
 */
function digestSql(schema: string, name: string, columns: readonly string[]): string {
  const row = `ROW(${columns.map((column) => `t.${quoteIdent(column)}`).join(', ')})`;
  return `
    SELECT count(*)::text AS rows, COALESCE(sum(hashtextextended(${row}::text COLLATE "C", 0)), 0)::text AS digest
    FROM ONLY ${quoteIdent(schema)}.${quoteIdent(name)} t`;
}

const TABLES = `
  SELECT n.nspname AS schema, c.relname AS name,
    ARRAY(
      SELECT a.attname::text FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY ($1::text[]) AND c.relkind = 'r'
    AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;
