import { isBodilessStatus, overrideHeaders, overrideWith } from '../errors/header-text.ts';
import type { AddHeaders, HttpResponse, ResponseHeaders } from '../errors/http-response.ts';
import { databaseHeaders, databaseStatus } from './database-headers.ts';

export const VARY = 'Accept, Prefer, Range';

/** What a browser would show as a page, scripts and all. */
const RENDERED = /html|xml|svg/i;

/**
 * A page's address may hold an `apikey`, and a page that others may frame can be clicked without being seen. A tenant that means it sets
 * others in `response.headers`.
 */
const PAGE_HEADERS = { 'Referrer-Policy': 'no-referrer', 'X-Frame-Options': 'SAMEORIGIN' };

export interface ResponseParts {
  readonly status: number;
  /** Owned by the callee from here on. */
  readonly headers: Record<string, string>;
  /** `undefined`: HEAD, no body and no `Content-Length`. An empty text is a body of length 0. */
  readonly body: string | Uint8Array<ArrayBuffer> | undefined;
}

/** What the database wants of the response (G3), as read from its settings. */
export interface DatabaseWishes {
  readonly responseHeaders: string | null;
  readonly responseStatus: string | null;
}

/**
 * Makes the response: adds `Vary`, then what the database asked for, then the gateway's own headers. The body is handed on as it
 * is; its length is the server's business, except that an empty one is declared here.
 *
 * @throws {GatewayError} PGRST112 or PGRST111 for wishes that cannot be met
 */
export function finishResponse(
  parts: ResponseParts,
  wishes: DatabaseWishes,
  addHeaders: AddHeaders,
): HttpResponse {
  const { status, headers, body } = parts;
  headers.Vary = VARY;
  // Nearly every response ends here.
  if (wishes.responseStatus === null && wishes.responseHeaders === null) {
    if (body === '' && !isBodilessStatus(status)) headers['Content-Length'] = '0';
    if (isPage(headers['Content-Type'])) Object.assign(headers, PAGE_HEADERS);
    addHeaders(headers);
    return { status, headers, isOwn: true, body: body || undefined };
  }
  return withWishes(parts, wishes, addHeaders);
}

function isPage(type: string | undefined): boolean {
  return type !== undefined && !type.startsWith('application/json') && RENDERED.test(type);
}

function withWishes(
  { status: ownStatus, headers: own, body }: ResponseParts,
  { responseHeaders, responseStatus }: DatabaseWishes,
  addHeaders: AddHeaders,
): HttpResponse {
  const status = responseStatus === null ? ownStatus : databaseStatus(responseStatus);
  const wanted = responseHeaders === null ? {} : joinedHeaders(databaseHeaders(responseHeaders));
  let headers = overrideHeaders(own, wanted);
  const typeName = Object.keys(headers).find((name) => name.toLowerCase() === 'content-type');
  if (typeName !== undefined && isPage(String(headers[typeName])))
    headers = overrideHeaders(PAGE_HEADERS, headers);
  const isBodiless = isBodilessStatus(status);
  if (body === '' && !isBodiless) headers['Content-Length'] = '0';
  return {
    status,
    headers: overrideWith(headers, addHeaders),
    body: body === '' || isBodiless ? undefined : body,
  };
}

/** A header that is asked for more than once is one list of values; cookies alone cannot be joined and are a line each. */
function joinedHeaders(headers: readonly (readonly [name: string, value: string])[]): ResponseHeaders {
  const joined: ResponseHeaders = {};
  const spelled = new Map<string, string>();
  for (const [given, value] of headers) {
    const lower = given.toLowerCase();
    const name = spelled.get(lower) ?? given;
    spelled.set(lower, name);
    const before = joined[name];
    if (before === undefined) joined[name] = lower === 'set-cookie' ? [value] : value;
    else joined[name] = typeof before === 'string' ? `${before}, ${value}` : [...before, value];
  }
  return joined;
}
