import { isReserved } from '../errors/header-text.ts';
import type { AddHeaders } from '../errors/http-response.ts';
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
  { headers: sent }: HttpRequest,
  { requestId, settings, hasServer }: ResponseContext,
): AddHeaders {
  return (headers) => {
    headers['X-Request-Id'] = requestId;
    // A browser must not take a row for a page, whatever a tenant keeps in it.
    headers['X-Content-Type-Options'] = 'nosniff';
    // Most requests come from no page of another origin, and a copy of nothing costs as much as one of something.
    if (sent.origin !== undefined) Object.assign(headers, corsHeaders(sent.origin, settings));
    // Where the answer depends on the origin, a cache must not give one origin's to another.
    if (settings !== undefined && settings.serverCorsAllowedOrigins.length > 0) headers.Vary = VARY_BY_ORIGIN;
    if (hasServer) headers.Server = SERVER;
    const traceHeader = settings?.serverTraceHeader;
    const traced = traceHeader === undefined ? undefined : sent[traceHeader.toLowerCase()];
    // Not in place of one of the gateway's own.
    if (traceHeader !== undefined && traced !== undefined && !isReserved(traceHeader)) {
      headers[traceHeader] = traced;
    }
  };
}
