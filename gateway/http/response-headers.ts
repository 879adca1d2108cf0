import { COMPATIBLE_VERSION } from '../platform/compatible-version.ts';
import type { PostgrestSettings } from '../registry/tenant.ts';
import { corsHeaders } from './cors.ts';
import type { HttpRequest } from './http-request.ts';

/** As PostgREST names itself (POSTGREST.md H5): some clients choose what they send by this version. */
const SERVER = `postgrest/${COMPATIBLE_VERSION}`;

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
    ...corsHeaders(headers.origin, settings),
  };
  if (hasServer) own.Server = SERVER;
  const traceHeader = settings?.serverTraceHeader;
  const traced = traceHeader === undefined ? undefined : headers[traceHeader.toLowerCase()];
  if (traceHeader !== undefined && traced !== undefined) own[traceHeader] = traced;
  return own;
}
