/** What one message of the output plugin `pgoutput` (protocol version 1) says, as far as it matters which rows have changed. */
export type ChangeMessage =
  | { readonly kind: 'relation'; readonly relation: number; readonly columns: readonly string[] }
  /** Rows as they were and as they are, by the published columns. */
  | { readonly kind: 'rows'; readonly relation: number; readonly rows: readonly ChangedRow[] }
  | { readonly kind: 'truncate'; readonly relations: readonly number[] }
  /** @param endLsn end of the commit's record in the log, as `0/16B3748` */
  | { readonly kind: 'commit'; readonly endLsn: string }
  | { readonly kind: 'other' };

export interface ChangedRow {
  /** `undefined` where the server does not send a value. */
  readonly values: readonly (string | null | undefined)[];
  /** Whether there was a row of this key before. */
  readonly wasThere: boolean;
}

/**
 * Reads one message.
 *
 * Format: PostgreSQL docs, "Logical Replication Message Formats".
 */
export function parseChange(data: Buffer): ChangeMessage {
  const reader = new Reader(data);
  const letter = reader.letter();
  switch (letter) {
    case 'R':
      return relation(reader);
    case 'I':
    case 'U':
    case 'D':
      return { kind: 'rows', relation: reader.int32(), rows: tuples(reader, letter) };
    case 'T': {
      const count = reader.int32();
      reader.skip(1);
      return { kind: 'truncate', relations: Array.from({ length: count }, () => reader.int32()) };
    }
    case 'C':
      reader.skip(1 + 8);
      return { kind: 'commit', endLsn: reader.lsn() };
    default:
      return { kind: 'other' };
  }
}

function relation(reader: Reader): ChangeMessage {
  const id = reader.int32();
  reader.text();
  reader.text();
  reader.skip(1);
  const columns = Array.from({ length: reader.int16() }, () => {
    reader.skip(1);
    const name = reader.text();
    reader.skip(4 + 4);
    return name;
  });
  return { kind: 'relation', relation: id, columns };
}

/** `N` the new row, `O` or `K` the old one: whole, or its key, which is sent where it is another one. */
function tuples(reader: Reader, letter: string): readonly ChangedRow[] {
  const rows: ChangedRow[] = [];
  while (!reader.isAtEnd) {
    const isNew = reader.letter() === 'N';
    const values = Array.from({ length: reader.int16() }, () => value(reader));
    rows.push({ values, wasThere: !isNew || (letter === 'U' && rows.length === 0) });
  }
  return rows;
}

function value(reader: Reader): string | null | undefined {
  const kind = reader.letter();
  if (kind === 'n') return null;
  return kind === 't' ? reader.bytes(reader.int32()) : undefined;
}

class Reader {
  readonly #data: Buffer;
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#data.length;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  letter(): string {
    return String.fromCharCode(this.#data.readUInt8(this.#at++));
  }

  int16(): number {
    this.#at += 2;
    return this.#data.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#data.readUInt32BE(this.#at - 4);
  }

  lsn(): string {
    const high = this.int32();
    return `${high.toString(16)}/${this.int32().toString(16)}`.toUpperCase();
  }

  bytes(length: number): string {
    this.#at += length;
    return this.#data.toString('utf8', this.#at - length, this.#at);
  }

  text(): string {
    const end = this.#data.indexOf(0, this.#at);
    const found = this.#data.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return found;
  }
}
