import type { GatewayError } from './gateway-error.ts';
import { headerTextOrSpaces, isBodilessStatus, overrideHeaders, overrideWith } from './header-text.ts';
import type { AddHeaders, HttpResponse } from './http-response.ts';

/** When a client is told to come back, in seconds. Short: most of these are a failover or a restart. */
const RETRY_AFTER_SECONDS = '1';

const JSON_CONTENT_TYPE = 'application/json; charset=utf-8';

export interface ErrorResponseContext {
  /** HEAD: no body. */
  readonly headersOnly: boolean;
  /** `client-error-verbosity`. */
  readonly verbosity: 'verbose' | 'minimal';
  /** Of the gateway itself: CORS, `Server-Timing`; they win over the error's own. */
  readonly addHeaders?: AddHeaders | undefined;
}

/** The response to an error, with PostgREST's body and headers; `Retry-After` on every 503. */
export function errorResponse(error: GatewayError, context: ErrorResponseContext): HttpResponse {
  const { status } = error;
  const own: Record<string, string> = {
    'Content-Type': JSON_CONTENT_TYPE,
    'Proxy-Status': `PostgREST; error=${headerTextOrSpaces(error.code)}`,
  };
  if (status === 503) own['Retry-After'] = RETRY_AFTER_SECONDS;
  const raised: Record<string, string> = {};
  for (const [name, value] of Object.entries(error.headers)) raised[name] = headerTextOrSpaces(value);
  const said = overrideHeaders(own, raised);
  const headers = context.addHeaders === undefined ? said : overrideWith(said, context.addHeaders);
  const hasBody = !context.headersOnly && !isBodilessStatus(status);
  const statusText = error.statusText === undefined ? undefined : headerTextOrSpaces(error.statusText);
  const body = hasBody ? errorBody(error, context.verbosity) : undefined;
  return { status, statusText, headers, body };
}

/**
 * The JSON text of an error. Keys are in alphabetical order because that is how PostgREST's JSON library writes them, and its
 * bytes are compared.
 *
 * @example errorBody(error, 'verbose') // {"code":"PGRST115","details":null,"hint":null,"message":"Payload values do not …"}
 */
export function errorBody(error: GatewayError, verbosity: 'verbose' | 'minimal'): string {
  // Outside of a batch there is no index, and JSON leaves out what is undefined.
  const { code, index, message } = error;
  if (verbosity === 'minimal') return JSON.stringify({ code, index, message });
  return JSON.stringify({ code, details: error.details ?? null, hint: error.hint ?? null, index, message });
}
