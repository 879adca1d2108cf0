/** Kinds of SQL tokens. `dollar` is a whole `$tag$…$tag$`; `string` covers `'…'`, `E'…'` and continued literals. */
export type SqlTokenKind =
  | 'space'
  | 'comment'
  | 'string'
  | 'dollar'
  | 'word'
  | 'quoted'
  | 'number'
  | 'parameter'
  | 'operator'
  | 'punctuation';

export interface SqlToken {
  readonly kind: SqlTokenKind;
  readonly text: string;
}

const SPACE = /[ \t\n\r\f\v]+/y;
const LINE_COMMENT = /--[^\n\r]*/y;
const WORD = /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y;
const NUMBER = /\d\w*(?:\.\d\w*)?|\.\d\w*/y;
const PARAMETER = /\$\d+/y;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y;
const OPERATOR_CHARACTERS = '+-*/<>=~!@#%^&|`?';
// A literal goes on after white space with a line end in it, and keeps the escape rules of its first piece.
const CONTINUATION = /[ \t\f\v]*[\n\r](?:[ \t\n\r\f\v]+|--[^\n\r]*[\n\r])*'/y;

/**
 * Cuts SQL text into tokens as PostgreSQL's scanner does (with `standard_conforming_strings` on). Lossless: the texts joined are the input, also for text
 * that ends inside a literal or a comment.
 */
export function lexSql(text: string): readonly SqlToken[] {
  const tokens: SqlToken[] = [];
  let position = 0;
  while (position < text.length) {
    const token = tokenAt(text, position);
    tokens.push(token);
    position += token.text.length;
  }
  return tokens;
}

function tokenAt(text: string, at: number): SqlToken {
  const taken = (kind: SqlTokenKind, end: number): SqlToken => ({ kind, text: text.slice(at, end) });
  const space = matchEnd(SPACE, text, at);
  if (space !== undefined) return taken('space', space);
  const line = matchEnd(LINE_COMMENT, text, at);
  if (line !== undefined) return taken('comment', line);
  if (text.startsWith('/*', at)) return taken('comment', endOfBlockComment(text, at));
  if (text[at] === "'") return taken('string', endOfString(text, at, false));
  if (text[at] === '"') return taken('quoted', endOfQuoted(text, at));
  const word = matchEnd(WORD, text, at);
  if (word !== undefined) return wordOrPrefixedLiteral(text, at, word);
  const number = matchEnd(NUMBER, text, at);
  if (number !== undefined) return taken('number', number);
  if (text[at] === '$') {
    const tag = matchEnd(DOLLAR_TAG, text, at);
    if (tag !== undefined) return taken('dollar', endOfDollar(text, at, tag));
    const parameter = matchEnd(PARAMETER, text, at);
    if (parameter !== undefined) return taken('parameter', parameter);
  }
  const operator = endOfOperator(text, at);
  return operator > at ? taken('operator', operator) : taken('punctuation', at + 1);
}

function wordOrPrefixedLiteral(text: string, at: number, end: number): SqlToken {
  const prefix = text.slice(at, end).toLowerCase();
  if (text[end] === "'" && (prefix === 'e' || prefix === 'b' || prefix === 'x' || prefix === 'n')) {
    return { kind: 'string', text: text.slice(at, endOfString(text, end, prefix === 'e')) };
  }
  if (prefix === 'u' && text[end] === '&') {
    if (text[end + 1] === "'")
      return { kind: 'string', text: text.slice(at, endOfString(text, end + 1, false)) };
    if (text[end + 1] === '"') return { kind: 'quoted', text: text.slice(at, endOfQuoted(text, end + 1)) };
  }
  return { kind: 'word', text: text.slice(at, end) };
}

function matchEnd(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

/** `at` is the opening quote. */
function endOfString(text: string, at: number, hasBackslashes: boolean): number {
  let i = at + 1;
  while (i < text.length) {
    if (hasBackslashes && text[i] === '\\') {
      i += 2;
    } else if (text[i] !== "'") {
      i++;
    } else if (text[i + 1] === "'") {
      i += 2;
    } else {
      const continued = matchEnd(CONTINUATION, text, i + 1);
      if (continued === undefined) return i + 1;
      i = continued;
    }
  }
  return text.length;
}

function endOfQuoted(text: string, at: number): number {
  let i = at + 1;
  while (i < text.length) {
    if (text[i] !== '"') i++;
    else if (text[i + 1] === '"') i += 2;
    else return i + 1;
  }
  return text.length;
}

function endOfDollar(text: string, at: number, bodyAt: number): number {
  const tag = text.slice(at, bodyAt);
  const close = text.indexOf(tag, bodyAt);
  return close === -1 ? text.length : close + tag.length;
}

function endOfBlockComment(text: string, at: number): number {
  let depth = 0;
  let i = at;
  while (i < text.length) {
    if (text.startsWith('/*', i)) {
      depth++;
      i += 2;
    } else if (text.startsWith('*/', i)) {
      depth--;
      i += 2;
      if (depth === 0) return i;
    } else {
      i++;
    }
  }
  return text.length;
}

/** An operator ends where a comment begins. */
function endOfOperator(text: string, at: number): number {
  let i = at;
  while (i < text.length && OPERATOR_CHARACTERS.includes(text[i]!)) {
    if (text.startsWith('--', i) || text.startsWith('/*', i)) break;
    i++;
  }
  return i;
}

/** Space and comments mean nothing to the grammar. */
export function isSignificant(token: SqlToken): boolean {
  return token.kind !== 'space' && token.kind !== 'comment';
}

/** The name a word or a quoted identifier stands for; `undefined` for other tokens and for `U&"…"`. */
export function nameOf(token: SqlToken | undefined): string | undefined {
  if (token?.kind === 'word') return token.text.toLowerCase();
  if (token?.kind !== 'quoted' || !token.text.startsWith('"') || token.text.length < 2) return undefined;
  return token.text.slice(1, -1).replaceAll('""', '"');
}

/** The keyword a token may be: unquoted words only. */
export function keywordOf(token: SqlToken | undefined): string | undefined {
  return token?.kind === 'word' ? token.text.toLowerCase() : undefined;
}
