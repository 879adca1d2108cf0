import type { ClientBase } from 'pg';
import { quoteIdent, quoteLiteral } from '../../gateway/platform/sql.ts';
import { type KeyColumn, quotedTable } from './content-hash.ts';
import type { TenantTable } from './moving-tenant.ts';
import { type ChangedRow, parseChange } from './pgoutput.ts';

/** A table, and by which columns a row of it is found on both sides; `undefined`: by none that are worth the name. */
export interface KeyedTable extends TenantTable {
  readonly key: readonly KeyColumn[] | undefined;
}

/** What has changed in a table since it was last asked for. */
export interface TableChanges {
  /** By a text that is the same for the same key. */
  readonly keys: Map<string, readonly string[]>;
  /** How many of them were rows before they came in here. */
  were: number;
  /** Changed in a way that does not tell which rows, or in too many of them. */
  isAny: boolean;
}

export function noChanges(): TableChanges {
  return { keys: new Map(), were: 0, isAny: false };
}

/** By the name of the table, quoted. */
export type Changes = Map<string, TableChanges>;

/** Beyond this a table is read as a whole again. */
const MAX_KEYS = 50_000;
const FETCH = 5_000;

/** Publication of the keys alone: the rows themselves, however large, are of no interest. */
export function keysPublication(name: string): string {
  return `${name}_keys`;
}

/** SQL that makes it. A list of columns has to hold the replica identity, and holds nothing else; it may be given from PostgreSQL 15 on. */
export function publishKeysSql(name: string, tables: readonly KeyedTable[], major: number): string {
  const lists = tables.map((table) => {
    const columns = table.key?.map((column) => quoteIdent(column.name)).join(', ');
    return `${quotedTable(table)}${columns === undefined || major < 15 ? '' : ` (${columns})`}`;
  });
  return `CREATE PUBLICATION ${quoteIdent(keysPublication(name))} ${lists.length === 0 ? '' : `FOR TABLE ${lists.join(', ')}`}`;
}

/** Follows which rows of the published tables change, by a slot that goes with the connection. */
export class ChangeFeed {
  readonly #client: ClientBase;
  readonly #name: string;
  readonly #tables: ReadonlyMap<number, KeyedTable>;
  #lastCommit: string | undefined;

  private constructor(client: ClientBase, name: string, tables: ReadonlyMap<number, KeyedTable>) {
    this.#client = client;
    this.#name = name;
    this.#tables = tables;
  }

  /** Every transaction that ends after this is followed. @param client of its own, after `readCanonically`; may make replication slots */
  static async begin(
    client: ClientBase,
    { name, tables }: { readonly name: string; readonly tables: readonly KeyedTable[] },
  ): Promise<ChangeFeed> {
    const { rows } = await client.query<{ oid: string; table: string }>(
      `SELECT t::regclass::oid::text AS oid, t AS table FROM unnest($1::text[]) AS t`,
      [tables.map(quotedTable)],
    );
    const byName = new Map(tables.map((table) => [quotedTable(table), table]));
    await client.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput', true)`, [
      keysPublication(name),
    ]);
    return new ChangeFeed(
      client,
      name,
      new Map(rows.map((row) => [Number(row.oid), byName.get(row.table)!])),
    );
  }

  /** End of the last transaction that changed one of the tables; `undefined` when none has. */
  get lastCommit(): string | undefined {
    return this.#lastCommit;
  }

  /** Adds what was changed and committed since the last call. */
  async addTo(changes: Changes): Promise<void> {
    const columnsOf = new Map<number, readonly string[]>();
    const publication = keysPublication(this.#name);
    await flushLog(this.#client);
    await this.#client.query('BEGIN');
    await this.#client.query(
      `DECLARE changed NO SCROLL CURSOR FOR SELECT data FROM pg_logical_slot_get_binary_changes(
         ${quoteLiteral(publication)}, NULL, NULL, 'proto_version', '1', 'publication_names', ${quoteLiteral(quoteIdent(publication))})`,
    );
    for (;;) {
      const { rows } = await this.#client.query<{ data: Buffer }>(`FETCH ${FETCH} FROM changed`);
      for (const { data } of rows) this.#add(changes, data, columnsOf);
      if (rows.length < FETCH) break;
    }
    await this.#client.query('COMMIT');
  }

  #add(changes: Changes, data: Buffer, columnsOf: Map<number, readonly string[]>): void {
    const message = parseChange(data);
    switch (message.kind) {
      case 'relation':
        columnsOf.set(message.relation, message.columns);
        return;
      case 'truncate':
        for (const relation of message.relations) this.#changesOf(changes, relation).isAny = true;
        return;
      case 'commit':
        this.#lastCommit = message.endLsn;
        return;
      case 'rows':
        for (const row of message.rows) {
          this.#addRow(this.#changesOf(changes, message.relation), message.relation, {
            row,
            columns: columnsOf.get(message.relation) ?? [],
          });
        }
        return;
      case 'other':
        return;
      default:
        message satisfies never;
    }
  }

  #changesOf(changes: Changes, relation: number): TableChanges {
    const name = quotedTable(this.#tables.get(relation)!);
    const found = changes.get(name) ?? noChanges();
    changes.set(name, found);
    return found;
  }

  #addRow(
    changes: TableChanges,
    relation: number,
    { row, columns }: { readonly row: ChangedRow; readonly columns: readonly string[] },
  ): void {
    if (changes.isAny) return;
    const key = this.#tables.get(relation)!.key?.map(({ name }) => row.values[columns.indexOf(name)]);
    if (key?.every((part) => typeof part === 'string') !== true || changes.keys.size >= MAX_KEYS) {
      changes.isAny = true;
      changes.keys.clear();
      return;
    }
    const text = JSON.stringify(key);
    if (row.wasThere && !changes.keys.has(text)) changes.were++;
    changes.keys.set(text, key);
  }
}

/** Takes all that was committed so far to the disk, also by those who do not wait for that: only from there it is sent and followed. */
export async function flushLog(client: Pick<ClientBase, 'query'>): Promise<void> {
  await client.query(
    `BEGIN; SET LOCAL synchronous_commit = on; SELECT pg_logical_emit_message(true, 'cascata', ''); COMMIT`,
  );
}

/** The tables that hold rows, with the columns of their replica identity. @param client after `readCanonically` */
export async function withKeys(
  client: Pick<ClientBase, 'query'>,
  tables: readonly TenantTable[],
): Promise<readonly KeyedTable[]> {
  const plain = tables.filter(({ isPartitioned }) => !isPartitioned);
  const { rows } = await client.query<{ table: string; key: KeyColumn[] | null; is_usable: boolean | null }>(
    KEYS,
    [plain.map(quotedTable)],
  );
  const found = new Map(rows.map((row) => [row.table, row]));
  return plain.map((table) => {
    const row = found.get(quotedTable(table));
    return { ...table, key: row?.is_usable === true ? (row.key ?? undefined) : undefined };
  });
}

/** $1 tables. A generated column cannot be published; looking for a value of a type of the tenant's own could run the tenant's code. */
const KEYS = `
  SELECT t AS table,
    json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) ORDER BY k.place) AS key,
    bool_and(a.attgenerated = '' AND y.typtype = 'b' AND y.typnamespace = 'pg_catalog'::regnamespace) AS is_usable
  FROM unnest($1::text[]) AS t
  JOIN pg_class c ON c.oid = t::regclass
  JOIN pg_index i ON i.indrelid = c.oid AND ((c.relreplident = 'd' AND i.indisprimary) OR (c.relreplident = 'i' AND i.indisreplident))
  CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum JOIN pg_type y ON y.oid = a.atttypid
  WHERE k.place <= i.indnkeyatts
  GROUP BY t`;
