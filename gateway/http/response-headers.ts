import { isReserved } from '../errors/header-text.ts';
import { COMPATIBLE_VERSION } from '../platform/compatible-version.ts';
import type { PostgrestSettings } from '../registry/tenant.ts';
import { corsHeaders } from './cors.ts';
import type { HttpRequest } from './http-request.ts';

/** As PostgREST names itself (POSTGREST.md H5): some clients choose what they send by this version. */
const SERVER = `postgrest/${COMPATIBLE_VERSION}`;

const VARY_BY_ORIGIN = 'Accept, Prefer, Range, Origin';

export interface ResponseContext {
  readonly requestId: string;
  /** `undefined` before the tenant is known: every origin may then read the response. */
  readonly settings: PostgrestSettings | undefined;
  /** The setting `gateway.serverHeader`. */
  readonly hasServer: boolean;
}

/** Headers that the gateway itself adds to a response, good or bad. */
export function gatewayHeaders(
  { headers }: HttpRequest,
  { requestId, settings, hasServer }: ResponseContext,
): Readonly<Record<string, string>> {
  const own: Record<string, string> = {
    'X-Request-Id': requestId,
    // A browser must not take a row for a page, whatever a tenant keeps in it.
    'X-Content-Type-Options': 'nosniff',
  };
  // Most requests come from no page of another origin, and a copy of nothing costs as much as one of something.
  if (headers.origin !== undefined) Object.assign(own, corsHeaders(headers.origin, settings));
  // Where the answer depends on the origin, a cache must not give one origin's to another.
  if (settings !== undefined && settings.serverCorsAllowedOrigins.length > 0) own.Vary = VARY_BY_ORIGIN;
  if (hasServer) own.Server = SERVER;
  const traceHeader = settings?.serverTraceHeader;
  const traced = traceHeader === undefined ? undefined : headers[traceHeader.toLowerCase()];
  // Not in place of one of the gateway's own.
  if (traceHeader !== undefined && traced !== undefined && !isReserved(traceHeader)) {
    own[traceHeader] = traced;
  }
  return own;
}
