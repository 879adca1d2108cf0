import type { ResponseHeaders } from '../errors/http-response.ts';
import type { HttpRequest } from '../http/http-request.ts';

/** How a gateway of ours signs `Via`. */
export const VIA_NAME = 'cascata-edge';

/** A tenant that moved twice is forwarded twice; more is taken for a circle. */
const MAX_HOPS = 3;

/** About one connection and not about the request (RFC 9110 §7.6.1), or made anew for the next one. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

/** What a proxy says of its client. Nobody else is believed, nor passed on. */
const PROXY_HEADER = /^(?:forwarded|x-forwarded(?:-.+)?|x-real-ip|true-client-ip|cf-connecting-ip)$/;

/** Whether a request has come through so many gateways of ours that it goes in a circle. */
export function isCircling({ headers }: HttpRequest): boolean {
  const via = headers.via;
  return via !== undefined && via.split(',').filter((hop) => hop.includes(VIA_NAME)).length >= MAX_HOPS;
}

/**
 * Headers of a forwarded request: those of the client as they are, tokens and all, but for what belongs to the connection and for what only a proxy may say.
 *
 * @param options.isTrusted whether the client is a proxy of the operator's, whose word on its own client is passed on
 * @param options.hasBody `content-length` goes with a body that is sent
 */
export function requestHeaders(
  http: HttpRequest,
  options: { readonly isTrusted: boolean; readonly hasBody: boolean; readonly requestId: string },
): Record<string, string> {
  const { isTrusted, hasBody, requestId } = options;
  const { headers } = http;
  const sent: Record<string, string> = {};
  const named = namedByConnection(headers.connection);
  for (const name in headers) {
    if (HOP_BY_HOP.has(name) || named?.has(name) || PROXY_HEADER.test(name)) continue;
    if (name === 'content-length' && !hasBody) continue;
    sent[name] = headers[name]!;
  }
  const proxied = (name: string) => (isTrusted ? headers[name] : undefined);
  const host = proxied('x-forwarded-host')?.split(',', 1)[0]?.trim() ?? http.host ?? '';
  sent.host = host;
  sent['x-forwarded-host'] = host;
  sent['x-forwarded-proto'] = proxied('x-forwarded-proto') ?? http.scheme;
  const addresses = [proxied('x-forwarded-for'), http.remoteAddress].filter((part) => part !== undefined);
  if (addresses.length > 0) sent['x-forwarded-for'] = addresses.join(', ');
  sent['x-request-id'] = requestId;
  sent.via = signed(headers.via);
  return sent;
}

/** Headers of the answer, as they came but for what belonged to that connection. */
export function responseHeaders(
  received: Readonly<Record<string, string | string[] | undefined>>,
): ResponseHeaders {
  const headers: ResponseHeaders = {};
  const named = namedByConnection(received.connection?.toString());
  for (const [name, value] of Object.entries(received)) {
    if (value === undefined || HOP_BY_HOP.has(name) || named?.has(name)) continue;
    headers[name] = value;
  }
  headers.via = signed(received.via?.toString());
  return headers;
}

function signed(via: string | undefined): string {
  return via === undefined ? `1.1 ${VIA_NAME}` : `${via}, 1.1 ${VIA_NAME}`;
}

function namedByConnection(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined) return undefined;
  return new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
}
