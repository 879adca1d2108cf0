import { isBodilessStatus, overrideHeaders } from '../errors/header-text.ts';
import type { HttpResponse, ResponseHeaders } from '../errors/http-response.ts';
import { databaseHeaders, databaseStatus } from './database-headers.ts';

export const VARY = 'Accept, Prefer, Range';

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
  extraHeaders: Readonly<Record<string, string>>,
): HttpResponse {
  const { status, headers, body } = parts;
  headers.Vary = VARY;
  // Nearly every response ends here.
  if (wishes.responseStatus === null && wishes.responseHeaders === null) {
    if (body === '' && !isBodilessStatus(status)) headers['Content-Length'] = '0';
    Object.assign(headers, extraHeaders);
    return { status, headers, body: body || undefined };
  }
  return withWishes(parts, wishes, extraHeaders);
}

function withWishes(
  { status: ownStatus, headers: own, body }: ResponseParts,
  { responseHeaders, responseStatus }: DatabaseWishes,
  extraHeaders: Readonly<Record<string, string>>,
): HttpResponse {
  const status = responseStatus === null ? ownStatus : databaseStatus(responseStatus);
  const wanted = responseHeaders === null ? {} : joinedHeaders(databaseHeaders(responseHeaders));
  const headers = overrideHeaders(own, wanted);
  const isBodiless = isBodilessStatus(status);
  if (body === '' && !isBodiless) headers['Content-Length'] = '0';
  return {
    status,
    headers: overrideHeaders(headers, extraHeaders),
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
