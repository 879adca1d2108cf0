/**
 * What a picture takes in memory, in bytes, as far as it can be told without asking the garbage collector. Grows when parts of the picture
 * are worked out that were kept as text until then.
 */
export class PictureWeight {
  #bytes: number;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }
}

const STRING_HEADER = 16;
const POINTER = 8;

/** A row as it came from the server: an array of strings, one byte a character, rounded up. */
export function rowWeight(row: readonly (string | null)[]): number {
  let bytes = 16 + row.length * POINTER;
  for (const field of row) {
    // The engine keeps one copy of every single character.
    if (field !== null && field.length > 1) bytes += STRING_HEADER + ((field.length + 7) & ~7);
  }
  return bytes;
}
