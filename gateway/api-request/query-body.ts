import { GatewayError } from '../errors/gateway-error.ts';
import type { PostgrestSettings } from '../registry/tenant.ts';
import type { HttpInput } from './parse-api-request.ts';
import { parseMediaType } from './parse-media-type.ts';

/** The only form of a query in a body, as `Accept-Query` names it. */
export const QUERY_MEDIA_TYPE = 'application/x-www-form-urlencoded';

/** A query is parsed in one go on the process's one thread, and may become SQL of several times its length. */
export const MAX_QUERY_BODY_BYTES = 128 * 1024;

const OVERRIDE = 'x-http-method-override';

type QueryBodySettings = Pick<
  PostgrestSettings,
  'cascataQueryMethodEnabled' | 'cascataMethodOverrideEnabled'
>;

/**
 * Whether a request is a GET whose query stands in its body: a `QUERY`, or a POST that says so (docs/query-method.md).
 *
 * @throws {GatewayError} GW602 for a POST that overrides its method with anything else than GET
 */
export function hasQueryBody(
  { method, headers }: Pick<HttpInput, 'method' | 'headers'>,
  settings: QueryBodySettings,
): boolean {
  if (method === 'QUERY') return settings.cascataQueryMethodEnabled;
  if (method !== 'POST' || !settings.cascataMethodOverrideEnabled) return false;
  const override = headers[OVERRIDE];
  if (override === undefined || override === 'POST') return false;
  if (override === 'GET') return true;
  throw new GatewayError('GW602', { message: `A POST cannot be made a ${override}` });
}

/**
 * The GET that such a request stands for: its body's query behind that of the URL.
 *
 * @throws {GatewayError} GW601 for a body that says to be something else, GW108 for one that is not UTF-8
 */
export function queryFromBody(input: HttpInput): HttpInput {
  const { rawQuery, body, headers } = input;
  const asGet = { ...input, method: 'GET', body: undefined, isQueryInBody: true };
  if (body === undefined || body.length === 0) return asGet;
  const type = headers['content-type'] ?? '';
  if (parseMediaType(type).kind !== 'urlencoded') {
    throw new GatewayError('GW601', {
      details: type === '' ? 'The request has no Content-Type' : `The Content-Type is ${type}`,
      hint: `Send the query string as the body, with Content-Type: ${QUERY_MEDIA_TYPE}`,
      headers: { 'Accept-Query': QUERY_MEDIA_TYPE },
    });
  }
  const text = decodeUtf8(body);
  return { ...asGet, rawQuery: rawQuery === '' ? text : `${rawQuery}&${text}` };
}

function decodeUtf8(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch (cause) {
    throw new GatewayError('GW108', { details: 'The query in the body is not valid UTF-8', cause });
  }
}
