/** An entry of a dump's table of contents, as it stands in the file. */
export interface RawEntry {
  id: number;
  hasRows: number;
  tag: string;
  kind: string;
  section: number;
  definition: string;
  copy: string;
  schema: string;
  owner: string;
  /** Everything else, in the order of the file. */
  readonly tableOid: string | undefined;
  readonly oid: string | undefined;
  readonly drop: string | undefined;
  readonly tablespace: string | undefined;
  readonly accessMethod: string | undefined;
  readonly withOids: string | undefined;
  readonly dependencies: readonly string[];
  readonly offset: Buffer;
}

/**
 * A dump of pg_dump 15 (custom format 1.14) with another table of contents, written as pg_dump writes it: what somebody can make who knows the format.
 *
 * @param change takes the entries and gives those that are to be there
 */
export function editDump(dump: Buffer, change: (entries: RawEntry[]) => RawEntry[]): Buffer {
  const reader = new Reader(dump);
  reader.skip('PGDMP'.length + 6);
  reader.int();
  for (let i = 0; i < 7; i++) reader.int();
  for (let i = 0; i < 3; i++) reader.text();
  const head = dump.subarray(0, reader.at);
  const count = reader.int();
  const entries = Array.from({ length: count }, () => readEntry(reader));
  const changed = change(entries);
  return Buffer.concat([head, int(changed.length), ...changed.map(writeEntry), dump.subarray(reader.at)]);
}

/** A new entry with nothing but SQL. */
export function anEntry(fields: Partial<RawEntry>): RawEntry {
  return {
    id: 90_000,
    hasRows: 0,
    tag: 'x',
    kind: 'TABLE',
    section: 2,
    definition: '',
    copy: '',
    schema: '',
    owner: '',
    tableOid: '0',
    oid: '0',
    drop: '',
    tablespace: undefined,
    accessMethod: undefined,
    withOids: 'false',
    dependencies: [],
    // No rows.
    offset: Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0]),
    ...fields,
  };
}

function readEntry(reader: Reader): RawEntry {
  const [id, hasRows] = [reader.int(), reader.int()];
  const [tableOid, oid] = [reader.text(), reader.text()];
  const [tag = '', kind = ''] = [reader.text(), reader.text()];
  const section = reader.int();
  const [definition = '', drop, copy = ''] = [reader.text(), reader.text(), reader.text()];
  const [schema = '', tablespace, accessMethod] = [reader.text(), reader.text(), reader.text()];
  const [owner = '', withOids] = [reader.text(), reader.text()];
  const dependencies: string[] = [];
  for (let text = reader.text(); text !== undefined; text = reader.text()) dependencies.push(text);
  const offset = reader.skip(9);
  const about = { tableOid, oid, drop, tablespace, accessMethod, withOids, dependencies, offset };
  return { id, hasRows, tag, kind, section, definition, copy, schema, owner, ...about };
}

function writeEntry(entry: RawEntry): Buffer {
  return Buffer.concat([
    int(entry.id),
    int(entry.hasRows),
    text(entry.tableOid),
    text(entry.oid),
    text(entry.tag),
    text(entry.kind),
    int(entry.section),
    text(entry.definition),
    text(entry.drop),
    text(entry.copy),
    text(entry.schema),
    text(entry.tablespace),
    text(entry.accessMethod),
    text(entry.owner),
    text(entry.withOids),
    ...entry.dependencies.map(text),
    int(-1),
    entry.offset,
  ]);
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = value < 0 ? 1 : 0;
  bytes.writeUInt32LE(Math.abs(value), 1);
  return bytes;
}

function text(value: string | undefined): Buffer {
  if (value === undefined) return int(-1);
  const bytes = Buffer.from(value);
  return Buffer.concat([int(bytes.length), bytes]);
}

class Reader {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int(): number {
    const isNegative = this.skip(1)[0] !== 0;
    const value = this.skip(4).readUInt32LE();
    return isNegative ? -value : value;
  }

  text(): string | undefined {
    const length = this.int();
    return length < 0 ? undefined : this.skip(length).toString();
  }

  skip(length: number): Buffer {
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }
}
