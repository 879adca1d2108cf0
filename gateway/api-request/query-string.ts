import { GatewayError } from '../errors/gateway-error.ts';

/** A parameter, decoded; `undefined` when there was no `=`. */
export type QueryPair = readonly [name: string, value: string | undefined];

const AMPERSAND = 38;
const SEMICOLON = 59;

/**
 * Splits and decodes a query string or a form body: `&` and `;` separate, `+` is a space, a `%` that begins no escape
 * stands for itself (R7).
 *
 * @throws {GatewayError} GW108 when escapes do not give valid UTF-8
 */
export function parseQueryString(text: string): readonly QueryPair[] {
  const pairs: QueryPair[] = [];
  let from = 0;
  while (from < text.length) {
    let end = from;
    let equals = -1;
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end);
      if (code === AMPERSAND || code === SEMICOLON) break;
      if (code === 61 && equals === -1) equals = end;
    }
    pairs.push(
      equals === -1
        ? [decode(text.slice(from, end)), undefined]
        : [decode(text.slice(from, equals)), decode(text.slice(equals + 1, end))],
    );
    from = end + 1;
  }
  return pairs;
}

function decode(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  const decoded = percentDecode(spaced);
  if (decoded === undefined) {
    throw new GatewayError('GW108', { details: 'The query string holds escapes that are not valid UTF-8' });
  }
  return decoded;
}

/** Resolves `%xx`; a `%` that begins no escape stays. `undefined` when the bytes are not valid UTF-8. */
export function percentDecode(text: string): string | undefined {
  const hasStrayPercent = /%(?![0-9a-f]{2})/i.test(text);
  try {
    return decodeURIComponent(hasStrayPercent ? text.replace(/%(?![0-9a-f]{2})/gi, '%25') : text);
  } catch {
    return undefined;
  }
}

/**
 * The parameters sorted by name and encoded again, for `Content-Location` (H2). Values of a repeated name are joined by
 * commas, and a value that is missing is empty, as PostgREST writes them.
 */
export function canonicalQuery(pairs: readonly QueryPair[]): string {
  if (pairs.length === 0) return '';
  const sorted = pairs.length === 1 ? pairs : pairs.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  let text = '';
  let previous: string | undefined;
  for (const [name, value] of sorted) {
    const encoded = value === undefined ? '' : encode(value);
    if (name === previous) text += `,${encoded}`;
    else text += `${text === '' ? '' : '&'}${encode(name)}=${encoded}`;
    previous = name;
  }
  return text;
}

/** Escapes everything but ASCII letters, digits and `-_.~`. */
function encode(text: string): string {
  const encoded = encodeURIComponent(isAscii(text) ? text : bytesAsCharacters(text));
  return /[!'()*]/.test(encoded) ? encoded.replace(/[!'()*]/g, escapeByte) : encoded;
}

function escapeByte(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** PostgREST encodes each UTF-8 byte as if it were a character, so that `é` becomes `%C3%83%C2%A9`. */
function bytesAsCharacters(text: string): string {
  let characters = '';
  for (const byte of new TextEncoder().encode(text)) characters += String.fromCharCode(byte);
  return characters;
}
