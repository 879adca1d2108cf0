import { bodyBesideHeaders, isBodilessStatus } from '../errors/header-text.ts';
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
interface DatabaseWishes {
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
): Response {
  const { status, headers, body } = parts;
  headers.Vary = VARY;
  // Nearly every response ends here, with one plain object of headers, which the server writes without looking at it twice.
  if (wishes.responseStatus === null && wishes.responseHeaders === null) {
    if (body === '' && !isBodilessStatus(status)) headers['Content-Length'] = '0';
    Object.assign(headers, extraHeaders);
    return new Response(body ? bodyBesideHeaders(body, Object.values(headers)) : null, { status, headers });
  }
  return withWishes(parts, wishes, extraHeaders);
}

function withWishes(
  { status: ownStatus, headers: own, body }: ResponseParts,
  { responseHeaders, responseStatus }: DatabaseWishes,
  extraHeaders: Readonly<Record<string, string>>,
): Response {
  const status = responseStatus === null ? ownStatus : databaseStatus(responseStatus);
  const wanted = responseHeaders === null ? [] : databaseHeaders(responseHeaders);
  const headers = new Headers(own);
  for (const [name] of wanted) headers.delete(name);
  for (const [name, value] of wanted) headers.append(name, value);
  const isBodiless = isBodilessStatus(status);
  if (body === '' && !isBodiless) headers.set('Content-Length', '0');
  for (const [name, value] of Object.entries(extraHeaders)) headers.set(name, value);
  const hasBody = body !== undefined && body !== '' && !isBodiless;
  return new Response(hasBody ? bodyBesideHeaders(body, headers.values()) : null, { status, headers });
}
