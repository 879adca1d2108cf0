import type { ClientBase } from 'pg';
import { z } from 'zod';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import { CANONICAL_SETTINGS, rowHash } from '../postgres-tools/row-hash.ts';

export const TableDigest = z.strictObject({
  schema: z.string(),
  name: z.string(),
  rows: z.string().regex(/^\d+$/),
  /** A sum over all rows; see `docs/caf.md`. */
  digest: z.string(),
});
export type TableDigest = z.output<typeof TableDigest>;

/** For the transaction that digests are made in. */
export const DIGEST_SETTINGS: string = [
  ...CANONICAL_SETTINGS,
  'jit = off',
  'max_parallel_workers_per_gather = 2',
]
  .map((setting) => `SET LOCAL ${setting};`)
  .join(' ');

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

/** One hash a row: two would keep the text of the row from being made by several workers, or make it twice. An anonymous row, since a cast to text may be defined for the table's own type. */
function digestSql(schema: string, name: string, columns: readonly string[]): string {
  const row = `ROW(${columns.map((column) => `t.${quoteIdent(column)}`).join(', ')})`;
  return `
    SELECT count(*)::text AS rows, COALESCE(sum(${rowHash(`${row}::text`, 0)}), 0)::text AS digest
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
