import type { Tenant } from '../registry/tenant.ts';
import { corsHeaders } from './cors.ts';
import type { HttpRequest } from './http-request.ts';

/** Headers that the gateway itself adds to a response, good or bad. Before the tenant is known, every origin may read it. */
export function gatewayHeaders(
  http: HttpRequest,
  requestId: string,
  tenant: Tenant | undefined,
): Readonly<Record<string, string>> {
  const { headers } = http;
  const cors = corsHeaders(headers.origin, tenant?.settings.serverCorsAllowedOrigins ?? []);
  const traceHeader = tenant?.settings.serverTraceHeader;
  const traced = traceHeader === undefined ? undefined : headers[traceHeader.toLowerCase()];
  if (traceHeader === undefined || traced === undefined) return { 'X-Request-Id': requestId, ...cors };
  return { 'X-Request-Id': requestId, ...cors, [traceHeader]: traced };
}
