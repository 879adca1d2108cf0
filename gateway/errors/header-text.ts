import type { AddHeaders, ResponseHeaders } from './http-response.ts';

/**
 * Set by the server from the body; taken from a database they could cut a response short or smuggle another one in. The last ones make a
 * proxy in front answer with a file or an address of its own instead.
 */
const FRAMING_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-accel-redirect',
  'x-lighttpd-send-file',
  'x-reproxy-url',
  'x-sendfile',
]);

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to find
const CONTROL_CHARACTERS = /[\x00-\x08\x0a-\x1f\x7f]/;
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Text as a header value: characters beyond ASCII become their UTF-8 bytes, one character a byte, which is how Node's
 * HTTP server wants them and what PostgREST sends.
 *
 * @returns `undefined` when there is a control character in it, above all CR or LF, which would start another header
 * @example headerText('/café') // '/cafÃ©'
 */
export function headerText(text: string): string | undefined {
  if (isPlainText(text)) return text;
  return CONTROL_CHARACTERS.test(text) ? undefined : Buffer.from(text, 'utf8').toString('latin1');
}

/** `text` as a header value whatever it holds: control characters become spaces. */
export function headerTextOrSpaces(text: string): string {
  return headerText(text) ?? headerText(text.replaceAll(new RegExp(CONTROL_CHARACTERS, 'g'), ' ')) ?? '';
}

export function isHeaderName(name: string): boolean {
  return HEADER_NAME.test(name);
}

export function isFramingHeader(name: string): boolean {
  return FRAMING_HEADERS.has(name.toLowerCase());
}

/** Headers as Node's server takes them soonest: it need not ask an object for its names. */
export interface HeaderLines {
  /** Names and values in turn. */
  readonly lines: (string | string[])[];
  readonly isAscii: boolean;
}

/** @param isOwn nobody but the gateway has named them */
export function headerLines(headers: Readonly<ResponseHeaders>, isOwn = false): HeaderLines {
  const lines: (string | string[])[] = [];
  let isAscii = true;
  // Runs for every response: lists of entries would cost as much as all else here.
  for (const name in headers) {
    const value = headers[name]!;
    lines.push(name, value);
    isAscii &&= (isOwn && isAlwaysAscii(name)) || isPlain(value);
  }
  return { lines, isAscii };
}

/**
 * The body to send beside these headers. Node writes a text and the headers before it as one UTF-8 string, which
 * would encode the bytes of `headerText` a second time; given bytes, it writes the headers one byte a character.
 */
export function bodyBesideHeaders(
  body: string | Uint8Array<ArrayBuffer>,
  { isAscii }: Pick<HeaderLines, 'isAscii'>,
): string | Uint8Array<ArrayBuffer> {
  return isAscii || typeof body !== 'string' ? body : new TextEncoder().encode(body);
}

/** Whether a header of that name, in whatever case, is one of those that the gateway alone fills. */
export function isReserved(name: string): boolean {
  const lower = name.toLowerCase();
  return ALWAYS_ASCII.some((own) => own.toLowerCase() === lower);
}

/** Numbers, constants, ids that were checked. Looking at each character of them would cost several times the look-up. */
const ALWAYS_ASCII: readonly string[] = [
  'Access-Control-Expose-Headers',
  'Content-Range',
  'Server',
  'Vary',
  'X-Content-Type-Options',
  'X-Request-Id',
];

/** Names in an object are compared by their address, which no hash is as quick as. */
function isAlwaysAscii(name: string): boolean {
  for (let i = 0; i < ALWAYS_ASCII.length; i++) if (ALWAYS_ASCII[i] === name) return true;
  return false;
}

function isPlain(value: ResponseHeaders[string]): boolean {
  return typeof value === 'string' ? isPlainText(value) : value.every(isPlainText);
}

/** Tabs and printable ASCII. A loop, because for texts of this length it is done before a regular expression has begun. */
function isPlainText(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7e || (unit < 0x20 && unit !== 0x09)) return false;
  }
  return true;
}

/** Puts `over` on top of `base`, names compared without case. */
export function overrideHeaders(
  base: Readonly<ResponseHeaders>,
  over: Readonly<ResponseHeaders>,
): ResponseHeaders {
  const overridden = new Set(Object.keys(over).map((name) => name.toLowerCase()));
  const headers: ResponseHeaders = {};
  for (const [name, value] of Object.entries(base)) {
    if (!overridden.has(name.toLowerCase())) headers[name] = value;
  }
  return Object.assign(headers, over);
}

/** Puts what `add` adds on top of `base`, names compared without case. */
export function overrideWith(base: Readonly<ResponseHeaders>, add: AddHeaders): ResponseHeaders {
  const over: ResponseHeaders = {};
  add(over);
  return overrideHeaders(base, over);
}

/** Statuses that `Response` takes: it has no 1xx, and nothing past 599. */
export function isResponseStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599;
}

/** Statuses that never have a body; `Response` refuses one. */
export function isBodilessStatus(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}
