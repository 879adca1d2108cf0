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

/** How rows are hashed: the format's version 1 by their text, version 2 by their columns' bytes. */
export type DigestMethod = 1 | 2;

/**
 * Row count and digest of every table with rows of its own, by schema and name: partitions rather than what they are partitions of. Materialized
 * views are left out, they follow from the rest, as are foreign tables.
 *
 * @param client in a transaction with `DIGEST_SETTINGS`
 */
export async function digestTables(
  client: ClientBase,
  { schemas, method = 2 }: { readonly schemas: readonly string[]; readonly method?: DigestMethod },
  onTable: (share: number, name: string) => Promise<void> = async () => undefined,
): Promise<readonly TableDigest[]> {
  const tables = await tablesToDigest(client, schemas);
  const digests: TableDigest[] = [];
  for (const [index, table] of tables.entries()) {
    await onTable(index / tables.length, `${table.schema}.${table.name}`);
    digests.push(await digestTable(client, table, method));
  }
  return digests;
}

interface DigestColumn {
  readonly name: string;
  /** Number of the type in `pg_type`; of a domain, that of what it is a domain over. */
  readonly type: number;
}

interface DigestedTable {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly DigestColumn[];
}

async function tablesToDigest(
  client: ClientBase,
  schemas: readonly string[],
): Promise<readonly DigestedTable[]> {
  return (await client.query<DigestedTable>(TABLES, [schemas])).rows;
}

async function digestTable(
  client: ClientBase,
  { schema, name, columns }: DigestedTable,
  method: DigestMethod,
): Promise<TableDigest> {
  const { rows } = await client.query<{ rows: string; digest: string }>(
    `SELECT count(*)::text AS rows, COALESCE(sum(${method === 1 ? hashOfText(columns) : hashOfColumns(columns)}), 0)::text AS digest
     FROM ONLY ${quoteIdent(schema)}.${quoteIdent(name)} t`,
  );
  return { schema, name, ...rows[0]! };
}

/** One hash a row: two would keep the text of the row from being made by several workers, or make it twice. */
function hashOfText(columns: readonly DigestColumn[]): string {
  return rowHash(textOf(columns), 0);
}

/** An anonymous row, since a cast to text may be defined for the table's own type. */
function textOf(columns: readonly DigestColumn[]): string {
  return `ROW(${columns.map(columnOf).join(', ')})::text`;
}

/**
 * PostgreSQL's own hash of a record, of columns whose hash tells any two values apart: bytes rather than what is equal to them. That needs no text, which costs most of what
 * reading a table costs. What has no such bytes is taken as one column with the text of all of it.
 */
function hashOfColumns(columns: readonly DigestColumn[]): string {
  const exact = columns.filter(({ type }) => type in EXACT);
  const others = columns.filter(({ type }) => !(type in EXACT));
  const values = exact.map((column) => EXACT[column.type]!(columnOf(column)));
  if (others.length > 0) values.push(`${textOf(others)} COLLATE "C"`);
  return `pg_catalog.hash_record_extended(ROW(${values.join(', ')}), 0)`;
}

function columnOf({ name }: DigestColumn): string {
  return `t.${quoteIdent(name)}`;
}

/** As it is: the hash is of all its bytes. */
const as = (type: string) => (column: string) => `${column}::pg_catalog.${type}`;
/** The bytes that the type sends: its own hash folds eight of them to four, or takes 1.0 for 1.00. */
const sent = (by: string) => (column: string) => `pg_catalog.${by}(${column})`;

/**
 * By the number of the type, which never changes for PostgreSQL's own. Not among them: whatever may be written in several ways that a dump does not tell apart (floats with
 * their NaNs, arrays with their unused maps of nulls) and whatever names things by numbers that are another cluster's.
 */
const EXACT: Readonly<Record<number, (column: string) => string>> = {
  16: as('bool'),
  17: as('bytea'),
  18: sent('charsend'),
  19: sent('namesend'),
  20: sent('int8send'),
  21: as('int2'),
  23: as('int4'),
  25: (column) => `${column}::pg_catalog.text COLLATE "C"`,
  26: sent('oidsend'),
  114: sent('json_send'),
  1042: sent('bpcharsend'),
  1043: (column) => `${column}::pg_catalog.text COLLATE "C"`,
  1082: as('date'),
  1083: sent('time_send'),
  1114: sent('timestamp_send'),
  1184: sent('timestamptz_send'),
  1186: sent('interval_send'),
  1266: sent('timetz_send'),
  1700: sent('numeric_send'),
  2950: as('uuid'),
  3802: sent('jsonb_send'),
};

const TABLES = `
  SELECT n.nspname AS schema, c.relname AS name,
    ARRAY(
      SELECT json_build_object('name', a.attname, 'type', (
        WITH RECURSIVE base (oid, of) AS (
          SELECT y.oid, y.typbasetype FROM pg_type y WHERE y.oid = a.atttypid
          UNION ALL
          SELECT y.oid, y.typbasetype FROM base JOIN pg_type y ON y.oid = base.of)
        SELECT base.oid::int8 FROM base WHERE base.of = 0))
      FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY ($1::text[]) AND c.relkind = 'r'
    AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;
