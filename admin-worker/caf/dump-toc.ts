import { refused } from './refused.ts';

/** One entry of a dump's table of contents. */
export interface DumpEntry {
  readonly id: number;
  /** `TABLE`, `FK CONSTRAINT`. */
  readonly kind: string;
  /** What it is called: `books`, `FUNCTION plus(a integer)`. */
  readonly tag: string;
  /** Empty where it is in none. */
  readonly schema: string;
  readonly owner: string;
  /** SQL that makes it; may be empty. */
  readonly definition: string;
  /** The COPY statement that takes its rows; empty where there are none. */
  readonly copy: string;
}

/** Where a text stands in the bytes of its entry, with its length before it. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** An entry with its bytes, of which two texts can be exchanged. */
export interface TocEntry {
  readonly entry: DumpEntry;
  readonly bytes: Buffer;
  readonly definition: Span;
  readonly owner: Span;
}

/** What the next bytes of a dump hold of its table of contents. */
export interface TocPiece {
  /** All that stands before the number of entries, when it is complete. */
  readonly head?: { readonly bytes: Buffer; readonly minor: number; readonly entries: number };
  readonly entries: readonly TocEntry[];
  /** What follows the table of contents. */
  readonly tail: Buffer;
}

const MAGIC = 'PGDMP';
const CUSTOM_FORMAT = 1;
/** What pg_dump 12 to 18 write: 1.14, 1.15 (16), 1.16 (17). */
const MIN_VERSION = 14;
const MAX_VERSION = 16;
const INT_BYTES = 4;
/** A number as it is written: its sign, then itself. */
const INT_LENGTH = 1 + INT_BYTES;
const OFFSET_BYTES = 8;
/** Of one text; PostgreSQL itself takes no statement beyond 1 GB, and no tenant's function comes near this. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;
const MAX_ENTRIES = 2_000_000;

/**
 * Reads the table of contents at the beginning of a dump in pg_dump's custom format, as the bytes arrive: every statement that
 * `pg_restore` would run is in it. `pg_restore --list` shows names and kinds alone, and what an entry is called says nothing about what it does.
 */
export class DumpTocReader {
  #rest: Buffer = Buffer.alloc(0);
  #head: { readonly minor: number; readonly entries: number } | undefined;
  #read = 0;

  /** All entries have been read; what follows are rows. */
  get isComplete(): boolean {
    return this.#head !== undefined && this.#read === this.#head.entries;
  }

  /**
   * Takes the next bytes. @returns the entries that they complete
   *
   * @throws {JobError} `not-a-dump`
   */
  push(bytes: Uint8Array): readonly DumpEntry[] {
    return this.read(bytes).entries.map(({ entry }) => entry);
  }

  /**
   * The same, with the bytes: joined they are what was read.
   *
   * @throws {JobError} `not-a-dump`
   */
  read(bytes: Uint8Array): TocPiece {
    if (this.isComplete) {
      return { entries: [], tail: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) };
    }
    const cursor = new Cursor(
      this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]),
    );
    const entries: TocEntry[] = [];
    let head: TocPiece['head'];
    let taken = 0;
    try {
      if (this.#head === undefined) {
        this.#head = readHead(cursor);
        taken = cursor.at;
        head = { bytes: cursor.bytes.subarray(0, taken - INT_LENGTH), ...this.#head };
      }
      while (!this.isComplete) {
        entries.push(readEntry(cursor, this.#head.minor));
        taken = cursor.at;
        this.#read++;
      }
    } catch (error) {
      if (!(error instanceof MoreBytesNeeded)) throw error;
    }
    const tail = cursor.bytes.subarray(taken);
    // A copy: the piece that it is a part of may be large, or used again.
    this.#rest = this.isComplete ? Buffer.alloc(0) : Buffer.from(tail);
    return {
      entries,
      tail: this.isComplete ? tail : Buffer.alloc(0),
      ...(head === undefined ? {} : { head }),
    };
  }
}

class MoreBytesNeeded extends Error {}

function notADump(why: string): Error {
  return refused('not-a-dump', `its dump cannot be read: ${why}`);
}

function readHead(cursor: Cursor): { minor: number; entries: number } {
  if (cursor.ascii(MAGIC.length) !== MAGIC) throw notADump('it is not in the custom format of pg_dump');
  const [major, minor] = [cursor.byte(), cursor.byte()];
  cursor.byte();
  if (major !== 1 || minor < MIN_VERSION || minor > MAX_VERSION) {
    throw notADump(`version ${major}.${minor} of the format is not known here`);
  }
  const [intBytes, offsetBytes, format] = [cursor.byte(), cursor.byte(), cursor.byte()];
  if (intBytes !== INT_BYTES || offsetBytes !== OFFSET_BYTES || format !== CUSTOM_FORMAT) {
    throw notADump('it is not in the custom format of pg_dump');
  }
  if (minor >= 15) cursor.byte();
  else cursor.int();
  // The time it was made.
  for (let i = 0; i < 7; i++) cursor.int();
  // Name of the database, versions of server and pg_dump.
  for (let i = 0; i < 3; i++) cursor.text();
  const entries = cursor.int();
  if (entries < 0 || entries > MAX_ENTRIES) throw notADump(`it says that it has ${entries} entries`);
  return { minor, entries };
}

function readEntry(cursor: Cursor, minor: number): TocEntry {
  const start = cursor.at;
  const spanned = (): [string, Span] => {
    const from = cursor.at - start;
    const text = cursor.text();
    return [text, { from, to: cursor.at - start }];
  };
  const id = cursor.int();
  cursor.int(); // Whether there are rows.
  cursor.text(); // Number of its catalog, and its own there.
  cursor.text();
  const tag = cursor.text();
  const kind = cursor.text();
  cursor.int(); // Section.
  const [definition, definitionSpan] = spanned();
  cursor.text(); // How it would be dropped; never run here.
  const copy = cursor.text();
  const schema = cursor.text();
  cursor.text(); // Tablespace and access method.
  cursor.text();
  if (minor >= 16) cursor.int(); // Kind of relation.
  const [owner, ownerSpan] = spanned();
  cursor.text(); // WITH OIDS, once.
  while (cursor.textOrEnd() !== undefined); // Entries that it depends on.
  cursor.skip(1 + OFFSET_BYTES);
  return {
    entry: { id, kind, tag, schema, owner, definition, copy },
    bytes: cursor.bytes.subarray(start, cursor.at),
    definition: definitionSpan,
    owner: ownerSpan,
  };
}

/** Reads what pg_dump's own functions write: numbers with a byte for the sign, texts with their length. */
class Cursor {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  byte(): number {
    return this.#take(1)[0]!;
  }

  int(): number {
    const isNegative = this.byte() !== 0;
    const value = this.#take(INT_BYTES).readUInt32LE();
    return isNegative ? -value : value;
  }

  ascii(length: number): string {
    return this.#take(length).toString('latin1');
  }

  text(): string {
    return this.textOrEnd() ?? '';
  }

  /** `undefined` for a text that is not there, which also ends a list. */
  textOrEnd(): string | undefined {
    const length = this.int();
    if (length < 0) return undefined;
    if (length > MAX_TEXT_BYTES) throw notADump(`one of its texts has ${length} bytes`);
    const bytes = this.#take(length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw notADump('one of its texts is not UTF-8');
    }
  }

  skip(length: number): void {
    this.#take(length);
  }

  #take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw new MoreBytesNeeded();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}
