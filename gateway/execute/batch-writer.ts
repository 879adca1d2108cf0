import { Buffer } from 'node:buffer';
import type { EncodedValues, SqlValue } from '../platform/sql.ts';

const INITIAL_BYTES = 16 * 1024;
/** A writer that a large body made grow is shrunk again above this. */
const KEPT_BYTES = 256 * 1024;
/** UTF-8 takes at most three bytes for each UTF-16 code unit. */
const MAX_BYTES_PER_UNIT = 3;
/** Names of settings, roles and statements, most operands: copied sooner than a call into the engine for them would have begun. */
const SHORT_TEXT = 32;
/** The Bind message counts parameters in 16 bits. */
const MAX_PARAMETERS = 65_535;

const PARSE = 0x50;
const BIND = 0x42;
const EXECUTE_MESSAGE = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0]);
const SYNC_MESSAGE = Buffer.from([0x53, 0, 0, 0, 4]);

/**
 * Writes frontend messages of PostgreSQL's extended protocol one behind the other, so that a whole batch is one buffer and
 * one system call. All parameters and results are in text format, of types that the server infers.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export class BatchWriter {
  #buffer = Buffer.allocUnsafe(INITIAL_BYTES);
  #length = 0;

  /** @throws {RangeError} when the text holds a NUL, which would end it early */
  parse(name: string, text: string): void {
    if (text.includes('\0')) throw new RangeError('an SQL statement cannot hold a NUL character');
    this.#reserve((name.length + text.length) * MAX_BYTES_PER_UNIT + 16);
    const start = this.#open(PARSE);
    this.#cString(name);
    this.#cString(text);
    this.#int16(0);
    this.#close(start);
  }

  /**
   * Binds to the unnamed portal, which `execute` runs.
   *
   * @param encoded where the values, always the same, are kept once they have been written
   * @throws {RangeError} for too many values
   */
  bind(name: string, values: readonly SqlValue[], encoded?: EncodedValues): void {
    const count = values.length;
    if (count > MAX_PARAMETERS) throw new RangeError(`a statement cannot have ${count} parameters`);
    this.#reserve(name.length * MAX_BYTES_PER_UNIT + 16);
    const start = this.#open(BIND);
    this.#buffer[this.#length++] = 0;
    this.#cString(name);
    this.#int16(0);
    if (encoded?.values === undefined) {
      const first = this.#length;
      this.#int16(count);
      for (let i = 0; i < count; i++) this.#value(values[i]!);
      this.#reserve(2);
      this.#int16(0);
      if (encoded !== undefined) encoded.values = new Uint8Array(this.#buffer.subarray(first, this.#length));
    } else this.#append(encoded.values);
    this.#close(start);
  }

  execute(): void {
    this.#append(EXECUTE_MESSAGE);
  }

  /** Forgets a prepared statement. Closing one that does not exist is no error. */
  closeStatement(name: string): void {
    this.#reserve(name.length * MAX_BYTES_PER_UNIT + 16);
    const start = this.#open(0x43);
    this.#buffer[this.#length++] = 0x53;
    this.#cString(name);
    this.#close(start);
  }

  sync(): void {
    this.#append(SYNC_MESSAGE);
  }

  /** What was written, as a buffer that the writer does not touch again. */
  take(): Buffer {
    const length = this.#length;
    this.#length = 0;
    if (this.#buffer.length > KEPT_BYTES) {
      const grown = this.#buffer.subarray(0, length);
      this.#buffer = Buffer.allocUnsafe(INITIAL_BYTES);
      return grown;
    }
    const taken = Buffer.allocUnsafe(length);
    this.#buffer.copy(taken, 0, 0, length);
    return taken;
  }

  /** Drops what was written since the last `take`. */
  clear(): void {
    this.#length = 0;
  }

  #value(value: SqlValue): void {
    if (value === null) {
      this.#reserve(4);
      this.#int32(-1);
      return;
    }
    this.#reserve(value.length * MAX_BYTES_PER_UNIT + 4);
    const at = this.#length;
    const written = this.#text(value, at + 4);
    this.#length = at + 4 + written;
    this.#setInt32(at, written);
  }

  /** Writes a text without moving on. @returns its bytes */
  #text(text: string, at: number): number {
    const { length } = text;
    if (length > SHORT_TEXT) return this.#buffer.write(text, at);
    const buffer = this.#buffer;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) return buffer.write(text, at);
      buffer[at + i] = unit;
    }
    return length;
  }

  #open(type: number): number {
    const start = this.#length;
    this.#buffer[start] = type;
    this.#length = start + 5;
    return start;
  }

  /** Puts in the message's length, which counts itself but not the type. */
  #close(start: number): void {
    this.#setInt32(start + 1, this.#length - start - 1);
  }

  #cString(text: string): void {
    this.#length += this.#text(text, this.#length);
    this.#buffer[this.#length++] = 0;
  }

  #int16(value: number): void {
    this.#buffer[this.#length++] = value >>> 8;
    this.#buffer[this.#length++] = value;
  }

  #int32(value: number): void {
    this.#setInt32(this.#length, value);
    this.#length += 4;
  }

  #setInt32(at: number, value: number): void {
    const buffer = this.#buffer;
    buffer[at] = value >>> 24;
    buffer[at + 1] = value >>> 16;
    buffer[at + 2] = value >>> 8;
    buffer[at + 3] = value;
  }

  #append(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#reserve(length);
    if (length > SHORT_TEXT) this.#buffer.set(bytes, this.#length);
    else for (let i = 0; i < length; i++) this.#buffer[this.#length + i] = bytes[i]!;
    this.#length += length;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
