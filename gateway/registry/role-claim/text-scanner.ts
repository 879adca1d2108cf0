/** A cursor over a short text. What does not fit throws `SyntaxError` with its place. */
export class TextScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  startsWith(prefix: string): boolean {
    return this.#text.startsWith(prefix, this.#at);
  }

  /** Moves past `prefix` when it stands here. */
  take(prefix: string): boolean {
    if (!this.startsWith(prefix)) return false;
    this.#at += prefix.length;
    return true;
  }

  expect(prefix: string): void {
    if (!this.take(prefix)) this.fail(`expected '${prefix}'`);
  }

  /** @param pattern a sticky expression (`/…/y`); its whole match is taken and returned */
  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  skipSpace(): void {
    this.match(/\s*/y);
  }

  /** The text between two quotes, which the cursor stands at the first of. Backslash escapes as in JSON, and `\'`. */
  quoted(): string {
    const body = this.match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/y);
    if (body === undefined) this.fail('expected a quoted text');
    const inner = body.slice(1, -1).replaceAll(/\\(.)|(")/g, (_all, escaped: string | undefined) => {
      if (escaped === undefined) return '\\"';
      return escaped === "'" ? "'" : `\\${escaped}`;
    });
    try {
      return String(JSON.parse(`"${inner}"`));
    } catch {
      return this.fail('a quoted text has an escape that is not known');
    }
  }

  fail(reason: string): never {
    throw new SyntaxError(`${reason} at character ${this.#at + 1} of '${this.#text}'`);
  }
}
