/** What stood and what could have stood at one place of a text. */
export interface Failure {
  /** UTF-16 index. */
  readonly pos: number;
  /** The character found, quoted; empty at the end of the text; `undefined` when not known. */
  readonly found: string | undefined;
  /** Things that were matched but must not stand here, quoted; they are told instead of `found`. */
  readonly unexpected: readonly string[];
  readonly expected: readonly string[];
}

/** The failure further on wins; at one place all expectations count. */
export function mergeFailures(a: Failure | undefined, b: Failure | undefined): Failure | undefined {
  if (a === undefined) return b;
  if (b === undefined || a.pos > b.pos) return a;
  if (a.pos < b.pos) return b;
  return {
    pos: a.pos,
    found: a.found ?? b.found,
    unexpected: [...a.unexpected, ...b.unexpected],
    expected: [...a.expected, ...b.expected],
  };
}

/** The sentence PostgREST gives as `details`: `unexpected "x" expecting "asc" or "desc"`. */
export function failureDetails({ found, unexpected, expected }: Failure): string {
  const parts: string[] = [];
  if (unexpected.length > 0) parts.push(`unexpected ${enumerate(unexpected)}`);
  else if (found === '') parts.push('unexpected end of input');
  else if (found !== undefined) parts.push(`unexpected ${found}`);
  if (expected.length > 0) parts.push(`expecting ${enumerate(expected)}`);
  return parts.length === 0 ? 'unknown parse error' : parts.join(' ');
}

function enumerate(labels: readonly string[]): string {
  const distinct = [...new Set(labels)];
  const last = distinct.pop()!;
  return distinct.length === 0 ? last : `${distinct.join(', ')} or ${last}`;
}

const TAB_WIDTH = 8;

/** Line and column of an index, counted from 1 in characters; a tab moves to the next multiple of eight. */
export function position(text: string, index: number): { line: number; column: number } {
  let line = 1;
  let column = 1;
  for (let i = 0; i < index; i++) {
    const code = text.charCodeAt(i);
    if (code === 10) {
      line++;
      column = 1;
    } else if (code === 9) {
      column += TAB_WIDTH - ((column - 1) % TAB_WIDTH);
    } else if (!isLowSurrogate(code)) {
      column++;
    }
  }
  return { line, column };
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

/** Text in double quotes, escaped as PostgREST's messages show it. */
export function showText(text: string): string {
  let shown = '';
  for (const char of text) shown += char === '"' ? '\\"' : escapeChar(char);
  return `"${shown}"`;
}

/** The character at an index, in single quotes. */
export function showChar(text: string, index: number): string {
  const char = String.fromCodePoint(text.codePointAt(index)!);
  return `'${char === "'" ? "\\'" : escapeChar(char)}'`;
}

const NAMED_ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\0': '\\NUL',
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\x1b': '\\ESC',
  '\x7f': '\\DEL',
};

/** Printable ASCII as it is, the rest by name or decimal code point. */
function escapeChar(char: string): string {
  const code = char.codePointAt(0)!;
  return NAMED_ESCAPES[char] ?? (code >= 0x20 && code < 0x7f ? char : `\\${code}`);
}
