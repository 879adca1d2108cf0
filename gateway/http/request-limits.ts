import { GatewayError } from '../errors/gateway-error.ts';
import type { HttpRequest } from './http-request.ts';

/** The header in which a request asks for a shorter statement timeout, in lower case. */
export const TIMEOUT_HEADER = 'x-cascata-timeout-ms';

const TIMEOUT = /^[1-9]\d{0,8}$/;

/**
 * The statement timeout that a request asks for, in milliseconds. It only ever makes the tenant's and the process's shorter.
 *
 * @throws {GatewayError} `GW108` (400) for anything but a whole number above 0
 */
export function requestedTimeoutMs(header: string): number {
  if (TIMEOUT.test(header)) return Number(header);
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
