import { GatewayError } from '../errors/gateway-error.ts';
import { headerText } from '../errors/header-text.ts';
import { arraySlices, memberSlice } from './json-slices.ts';
import { parseMediaType } from './parse-media-type.ts';
import { parsePreferences } from './parse-preferences.ts';

/** Path of the batch endpoint, below that of REST. A relation has one segment and a function begins with `rpc`: it can be neither. */
export const BATCH_PATH = '/-/batch';

/** One request of a batch, as it would come by HTTP. */
export interface BatchPart {
  readonly method: string;
  /** Still percent-encoded, below the endpoint's prefix: `/films`, `/rpc/add`. */
  readonly path: string;
  /** What follows the `?`, still encoded. */
  readonly rawQuery: string;
  /** Its own only, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

const KEYS: ReadonlySet<string> = new Set(['method', 'path', 'headers', 'body', 'encoding']);
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE']);
const BODY_METHODS: ReadonlySet<string> = new Set(['POST', 'PATCH', 'PUT']);

/**
 * What a part may say of itself. Anything else describes the client and comes from the request that carries the batch: a proxy in front
 * may have written it, and policies may trust it.
 */
const PART_HEADERS: ReadonlySet<string> = new Set([
  'accept',
  'accept-profile',
  'content-profile',
  'content-type',
  'prefer',
  'range',
]);
/** Headers of the carrying request that are about itself; a part does not inherit them. */
const CARRIER_ONLY =
  /^(accept|accept-profile|content-.*|prefer|range|transfer-encoding|expect|if-.*|x-http-method-override)$/;

/** As it may stand in a request line. */
const TARGET = /^\/[\x21\x22\x24-\x7e]*$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Reads the body of a batch: a JSON array of `{method, path, headers?, body?, encoding?}`. A JSON body is handed on as it was written.
 *
 * @param maxParts `cascata-batch-max-requests`
 * @throws {GatewayError} GW310 for another form, GW311 for what has no place in a batch, GW312 for too many parts
 */
export function parseBatch(body: Uint8Array, maxParts: number): readonly BatchPart[] {
  const { text, value } = parseJson(body);
  if (!Array.isArray(value)) throw malformed('The body must be a JSON array of requests');
  const elements: readonly unknown[] = value;
  if (elements.length === 0) throw malformed('The array holds no request');
  if (elements.length > maxParts) {
    throw new GatewayError('GW312', {
      details: `It holds ${elements.length} requests, the limit is ${maxParts}`,
    });
  }
  const slices = arraySlices(text);
  return elements.map((element, index) => parsePart(element, slices[index]!, index));
}

/** The headers a part's request has: the carrier's, except for those about itself, and the part's own. */
export function partHeaders(
  carrier: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(carrier)) if (!CARRIER_ONLY.test(name)) headers[name] = value;
  return Object.assign(headers, own);
}

function parseJson(body: Uint8Array): { readonly text: string; readonly value: unknown } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    return { text, value: JSON.parse(text) };
  } catch {
    throw malformed('The body is not JSON');
  }
}

function parsePart(element: unknown, text: string, index: number): BatchPart {
  if (!isObject(element)) throw malformed('A request must be an object', index);
  const unknownKey = Object.keys(element).find((key) => !KEYS.has(key));
  if (unknownKey !== undefined)
    throw malformed(`${JSON.stringify(unknownKey)} is no key of a request`, index);
  const { method, path: target } = element;
  if (typeof method !== 'string' || !METHODS.has(method)) {
    throw malformed(`"method" must be one of ${[...METHODS].join(', ')}`, index);
  }
  if (typeof target !== 'string' || !TARGET.test(target)) {
    throw malformed('"path" must begin with / and be percent-encoded, such as /films?id=eq.1', index);
  }
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  if (path === BATCH_PATH) throw unavailable('A batch cannot hold another', index);
  if (path === '/') throw unavailable('A batch holds requests of tables and functions only', index);
  const headers = parseHeaders(element.headers, index);
  return {
    method,
    path,
    rawQuery: query === -1 ? '' : target.slice(query + 1),
    headers,
    body: parseBody(element, { text, method, contentType: headers['content-type'], index }),
  };
}

function parseHeaders(value: unknown, index: number): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw malformed('"headers" must be an object of texts', index);
  const headers: Record<string, string> = {};
  for (const [given, text] of Object.entries(value)) {
    const name = given.toLowerCase();
    if (!PART_HEADERS.has(name)) {
      throw unavailable(
        `A request of a batch cannot have the header ${JSON.stringify(given)}, only ${[...PART_HEADERS].join(', ')}`,
        index,
      );
    }
    if (typeof text !== 'string' || headerText(text) === undefined || !text.isWellFormed()) {
      throw malformed(`The header ${JSON.stringify(given)} must be a text of one line`, index);
    }
    headers[name] = text;
  }
  if (parsePreferences(headers.prefer, true).tx !== undefined) {
    throw unavailable(
      'All requests of a batch end together: "Prefer: tx=" belongs to the batch itself',
      index,
    );
  }
  return headers;
}

function parseBody(
  { body, encoding }: Readonly<Record<string, unknown>>,
  part: {
    readonly text: string;
    readonly method: string;
    readonly contentType: string | undefined;
    readonly index: number;
  },
): Uint8Array | undefined {
  const { text, method, contentType, index } = part;
  if (encoding !== undefined && encoding !== null && encoding !== 'base64') {
    throw malformed('"encoding" can only be "base64"', index);
  }
  if (body === undefined || body === null) return undefined;
  if (!BODY_METHODS.has(method)) throw malformed(`${method} has no body`, index);
  if (encoding === 'base64') {
    if (typeof body !== 'string' || body.length % 4 !== 0 || !BASE64.test(body)) {
      throw malformed('"body" must be a text in base64', index);
    }
    return Buffer.from(body, 'base64');
  }
  if (contentType === undefined || parseMediaType(contentType).kind === 'json') {
    return Buffer.from(memberSlice(text, 'body')!);
  }
  if (typeof body !== 'string' || !body.isWellFormed()) {
    throw malformed(`With the content type ${contentType} "body" must be a text`, index);
  }
  return Buffer.from(body);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(details: string, index?: number): GatewayError {
  return new GatewayError('GW310', { details, index });
}

function unavailable(details: string, index: number): GatewayError {
  return new GatewayError('GW311', { details, index });
}
