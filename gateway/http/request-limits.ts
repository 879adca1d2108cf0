import { GatewayError } from '../errors/gateway-error.ts';
import type { HttpRequest } from './http-request.ts';

/** The header in which a request asks for a shorter statement timeout, in lower case. */
const TIMEOUT_HEADER = 'x-cascata-timeout-ms';

const TIMEOUT = /^[1-9]\d{0,8}$/;

/**
 * The process's bound on a statement, or the request's own where that is shorter; in milliseconds.
 *
 * @throws {GatewayError} `GW108` (400) for anything but a whole number above 0
 */
export function statementTimeoutFor(headers: HttpRequest['headers'], processLimitMs: number): number {
  const asked = headers[TIMEOUT_HEADER];
  if (asked === undefined) return processLimitMs;
  if (TIMEOUT.test(asked)) return Math.min(processLimitMs, Number(asked));
  throw new GatewayError('GW108', { details: `${TIMEOUT_HEADER} must be a whole number of milliseconds` });
}

/**
 * Holds a request to its tenant's own limit, which is smaller than that of the process: the server's parser has checked that one.
 *
 * @throws {GatewayError} `GW303` (431)
 */
export function checkHeaderSize({ method, path, rawQuery, headers }: HttpRequest, maxBytes: number): void {
  // Names and values with what stands between them on the wire: `: ` and a line end; the request line has two spaces, a `?` and its end.
  let bytes = method.length + path.length + rawQuery.length + ' ? HTTP/1.1\r\n'.length;
  for (const name in headers) bytes += name.length + headers[name]!.length + 4;
  if (bytes > maxBytes) throw new GatewayError('GW303', { details: `The limit is ${maxBytes} bytes` });
}
