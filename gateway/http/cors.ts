import type { PostgrestSettings } from '../registry/tenant.ts';

const EXPOSED_HEADERS = [
  'Content-Encoding',
  'Content-Location',
  'Content-Range',
  'Content-Type',
  'Date',
  'Location',
  'Server',
  'Transfer-Encoding',
  'Range-Unit',
  'Preference-Applied',
  'X-Total-Count',
  'Link',
  'X-Supabase-Api-Version',
  'X-Request-Id',
  'X-Cascata-Consistency',
].join(', ');

const ALLOWED_METHODS = 'GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD';

/** What Supabase's clients send (CLIENTS.md §1.1), for preflights that do not say what they are about to send. */
const USUAL_REQUEST_HEADERS = [
  'apikey',
  'x-client-info',
  'content-type',
  'accept-profile',
  'content-profile',
  'prefer',
  'range',
  'x-upsert',
  'cache-control',
  'x-metadata',
  'x-supabase-api-version',
  'x-retry-count',
  'x-cascata-consistency',
  'x-cascata-timeout-ms',
  'x-region',
  'traceparent',
  'tracestate',
  'baggage',
];

const MAX_AGE_SECONDS = '86400';
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;

type Headers = Readonly<Record<string, string>>;

const NO_HEADERS: Headers = {};

const ANY_ORIGIN: Headers = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': EXPOSED_HEADERS,
};

/** What of a tenant's settings CORS depends on. */
export type CorsSettings = Pick<
  PostgrestSettings,
  'serverCorsAllowedOrigins' | 'cascataEtagEnabled' | 'cascataKeysetEnabled' | 'cascataQueryMethodEnabled'
>;

const ANY_TENANT: CorsSettings = {
  serverCorsAllowedOrigins: [],
  cascataEtagEnabled: false,
  cascataKeysetEnabled: false,
  cascataQueryMethodEnabled: false,
};

/**
 * CORS headers of a response (POSTGREST.md H8): none without an `Origin`, none for an origin that is not allowed.
 *
 * @param settings of the tenant, as far as it is known
 */
export function corsHeaders(origin: string | undefined, settings: CorsSettings = ANY_TENANT): Headers {
  if (origin === undefined) return NO_HEADERS;
  const { serverCorsAllowedOrigins: allowedOrigins } = settings;
  const exposed = exposedHeaders(settings);
  if (allowedOrigins.length === 0) {
    return exposed === EXPOSED_HEADERS
      ? ANY_ORIGIN
      : { ...ANY_ORIGIN, 'Access-Control-Expose-Headers': exposed };
  }
  if (!allowedOrigins.includes(origin)) return NO_HEADERS;
  return {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Credentials': 'true',
    'Access-Control-Expose-Headers': exposed,
  };
}

function exposedHeaders({ cascataEtagEnabled, cascataKeysetEnabled }: CorsSettings): string {
  const exposed = cascataEtagEnabled ? `${EXPOSED_HEADERS}, ETag` : EXPOSED_HEADERS;
  return cascataKeysetEnabled ? `${exposed}, Next-Cursor` : exposed;
}

/** A browser asking what it may send, as opposed to an OPTIONS request of the API. */
export function isPreflight(method: string, headers: Headers): boolean {
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined
  );
}

/** Headers of the answer to a preflight. */
export function preflightHeaders(request: Headers, settings: CorsSettings = ANY_TENANT): Headers {
  const cors = corsHeaders(request.origin, settings);
  if (cors === NO_HEADERS) return NO_HEADERS;
  const asked = (request['access-control-request-headers'] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => HEADER_NAME.test(name));
  // `*` would not cover Authorization, so the names are given back one by one.
  const named = asked.length > 0 ? asked : USUAL_REQUEST_HEADERS;
  return {
    ...cors,
    'Access-Control-Allow-Methods': settings.cascataQueryMethodEnabled
      ? `${ALLOWED_METHODS}, QUERY`
      : ALLOWED_METHODS,
    'Access-Control-Allow-Headers': `Authorization, ${named.join(', ')}, Accept, Accept-Language, Content-Language`,
    'Access-Control-Max-Age': MAX_AGE_SECONDS,
  };
}
