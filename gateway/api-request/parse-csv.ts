import { GatewayError } from '../errors/gateway-error.ts';
import { showText } from './scan-failure.ts';

const QUOTE = 34;
const COMMA = 44;
const LF = 10;
const CR = 13;

/** Rows of a CSV body as a JSON array of objects. */
export interface CsvAsJson {
  readonly text: string;
  /** Distinct, sorted; empty without rows. */
  readonly keys: readonly string[];
}

/**
 * Turns CSV (RFC 4180, first line: names) into JSON (W3): all values are strings, but for `NULL`. Blank lines do not
 * count; of a repeated name the last column counts. Lines may be shorter than the header, but all alike; what is beyond it does not
 * count.
 *
 * @throws {GatewayError} PGRST102 for text that is no CSV and for lines of unequal length
 */
export function csvToJson(csv: string): CsvAsJson {
  const reader = new RecordReader(csv);
  const header = reader.next();
  // A header must be a whole line.
  if (header === undefined || !reader.endedWithNewline) throw csvError('not enough input', '');
  const names = header.map((name) => JSON.stringify(name));
  let columns: readonly number[] = [];
  let width: number | undefined;
  const objects: string[] = [];
  for (let record = reader.next(); record !== undefined; record = reader.next()) {
    if (record.length === 1 && record[0] === '') continue;
    const ownWidth = Math.min(record.length, header.length);
    if (width === undefined) columns = lastOfEachName(header.slice(0, ownWidth));
    width ??= ownWidth;
    if (ownWidth !== width) {
      throw new GatewayError('PGRST102', { message: 'All lines must have same number of fields' });
    }
    let object = '';
    for (const i of columns) object += `${object === '' ? '{' : ','}${names[i]!}:${jsonValue(record[i]!)}`;
    objects.push(`${object}}`);
  }
  if (objects.length === 0) return { text: '[]', keys: [] };
  return { text: `[${objects.join(',')}]`, keys: columns.map((i) => header[i]!).sort() };
}

/** Positions of the names, but for those that come again. */
function lastOfEachName(names: readonly string[]): number[] {
  return names.map((_, i) => i).filter((i) => names.lastIndexOf(names[i]!) === i);
}

function jsonValue(field: string): string {
  return field === 'NULL' ? 'null' : JSON.stringify(field);
}

const SHOWN_LENGTH = 100;

function csvError(reason: string, rest: string): GatewayError {
  const shown = showText(rest.slice(0, SHOWN_LENGTH));
  const cut = rest.length > SHOWN_LENGTH ? ' (truncated)' : '';
  return new GatewayError('PGRST102', { message: `parse error (${reason}) at ${shown}${cut}` });
}

class RecordReader {
  readonly #text: string;
  #pos = 0;
  endedWithNewline = false;

  constructor(text: string) {
    this.#text = text;
  }

  /** Fields of the next line; `undefined` at the end of the text. */
  next(): string[] | undefined {
    if (this.#pos >= this.#text.length) return undefined;
    const fields: string[] = [];
    for (;;) {
      fields.push(this.#text.charCodeAt(this.#pos) === QUOTE ? this.#quotedField() : this.#bareField());
      const code = this.#text.charCodeAt(this.#pos);
      if (code === COMMA) {
        this.#pos++;
        continue;
      }
      this.#endLine(code);
      return fields;
    }
  }

  #endLine(code: number): void {
    const { length } = this.#text;
    this.endedWithNewline = this.#pos < length;
    if (!this.endedWithNewline) return;
    if (code !== LF && code !== CR) throw csvError('Failed reading: satisfy', this.#text.slice(this.#pos));
    this.#pos += code === CR && this.#text.charCodeAt(this.#pos + 1) === LF ? 2 : 1;
  }

  #bareField(): string {
    const from = this.#pos;
    let end = from;
    for (; end < this.#text.length; end++) {
      const code = this.#text.charCodeAt(end);
      if (code === COMMA || code === LF || code === CR || code === QUOTE) break;
    }
    this.#pos = end;
    return this.#text.slice(from, end);
  }

  #quotedField(): string {
    let value = '';
    let from = this.#pos + 1;
    for (;;) {
      const end = this.#text.indexOf('"', from);
      if (end === -1) throw csvError('not enough input', '');
      value += this.#text.slice(from, end);
      if (this.#text.charCodeAt(end + 1) !== QUOTE) {
        this.#pos = end + 1;
        return value;
      }
      value += '"';
      from = end + 2;
    }
  }
}
