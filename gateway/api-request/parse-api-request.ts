import type { PostgrestSettings } from '../registry/tenant.ts';
import type { Action, ApiRequest } from './api-request.ts';
import { parseConditional } from './conditional.ts';
import { parseKeyset } from './keyset.ts';
import { takeOpenApiVersion } from './open-api-version.ts';
import { decodeSegment, parseAction, parseResource } from './parse-action.ts';
import { NO_COOKIES, parseCookies } from './parse-cookies.ts';
import { parseAccept } from './parse-media-type.ts';
import { parsePayload } from './parse-payload.ts';
import { parsePreferences } from './parse-preferences.ts';
import { parseProfile } from './parse-profile.ts';
import { parseQuery } from './parse-query.ts';
import { resolveRange } from './parse-range.ts';

/** An HTTP request below the endpoint's prefix. */
export interface HttpInput {
  readonly method: string;
  /** Still percent-encoded: `/films`, `/rpc/add`, `/`. */
  readonly path: string;
  /** Without `?`, still encoded. */
  readonly rawQuery: string;
  /** Names in lower case; repeated headers joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  /** Part of `rawQuery` came as the body (`queryFromBody`). */
  readonly isQueryInBody?: boolean;
}

/** What of a tenant's settings the reading of a request depends on. */
export type RequestSettings = Pick<
  PostgrestSettings,
  'dbSchemas' | 'dbTxEnd' | 'dbRootSpec' | 'openapiMode' | 'cascataEtagEnabled' | 'cascataKeysetEnabled'
>;

/**
 * Reads an HTTP request in PostgREST's terms. Of several faults, the one reported is the first in the order path,
 * profile, method, query string, ranges, body.
 *
 * @param parse reads the query string; one that remembers, where many requests come
 * @throws {GatewayError} PGRST125, 106, 117 or 101, 100, 103 or 114, 102; GW108 for a query string that is not UTF-8, GW603 for a cursor
 */
export function parseApiRequest(
  input: HttpInput,
  settings: RequestSettings,
  parse: typeof parseQuery = parseQuery,
): ApiRequest {
  const { headers } = input;
  const resource = parseResource(input.path, settings);
  const { schema, hasProfile } = parseProfile(input.method, headers, settings.dbSchemas);
  const { method, action } = parseAction(resource, input.method);
  const { version, rawQuery } =
    action.kind === 'inspect-root' ? takeOpenApiVersion(input.rawQuery) : { rawQuery: input.rawQuery };
  const takesCursor = settings.cascataKeysetEnabled && action.kind === 'read';
  const { params, limits, cursor } = parse(rawQuery, takesArguments(action), takesCursor);
  const range = resolveRange(method, limits, headers.range);
  const { columns } = params;
  const payload = parsePayload({ action, contentType: headers['content-type'], body: input.body, columns });
  const { cookie } = headers;
  return {
    method,
    action,
    path: input.path === '' ? '/' : decodeSegment(input.path),
    schema,
    hasProfile,
    query: params,
    isQueryInBody: input.isQueryInBody,
    keyset: cursor === undefined ? undefined : parseKeyset(cursor),
    accept: parseAccept(headers.accept),
    preferences: parsePreferences(headers.prefer, settings.dbTxEnd.endsWith('-allow-override')),
    range,
    payload,
    openApiVersion: version,
    conditional: settings.cascataEtagEnabled ? parseConditional(method, headers['if-none-match']) : undefined,
    headers: cookie === undefined ? headers : withoutCookie(headers),
    cookies: cookie === undefined ? NO_COOKIES : parseCookies(cookie),
  };
}

function withoutCookie({ cookie: _, ...others }: HttpInput['headers']): HttpInput['headers'] {
  return others;
}

/** Whether the query string holds a function's arguments. OPTIONS needs them to find the function (R6). */
function takesArguments(action: Action): boolean {
  return action.kind === 'options-routine' || (action.kind === 'call' && action.invocation === 'get');
}
