import { Buffer } from 'node:buffer';
import type { ServerResponse } from 'node:http';
import { errorResponse } from '../errors/error-response.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import { bodyBesideHeaders, headerLines } from '../errors/header-text.ts';
import type { HttpResponse } from '../errors/http-response.ts';
import { writeStream } from './write-stream.ts';

/**
 * Writes a whole response, headers and body in one go. To a client that has gone away it writes nothing. Never throws.
 *
 * @param onFault told of a response that cannot be written, which is answered with `GW901` (500)
 */
export function writeResponse(
  response: HttpResponse,
  outgoing: ServerResponse,
  onFault?: (cause: unknown) => void,
): void {
  if (response.stream !== undefined) {
    // Never rejects.
    void writeStream(response, response.stream, outgoing);
    return;
  }
  if (outgoing.destroyed) return;
  try {
    write(response, outgoing);
  } catch (cause) {
    // Node refuses what cannot stand in a header. All other requests of this process must not end with this one.
    onFault?.(cause);
    if (outgoing.headersSent) {
      outgoing.destroy();
      return;
    }
    // What the refused head left.
    outgoing.statusMessage = '';
    const error = new GatewayError('GW901', { cause });
    write(errorResponse(error, { headersOnly: false, verbosity: 'verbose' }), outgoing);
  }
}

function write(response: HttpResponse, outgoing: ServerResponse): void {
  const { status, statusText, headers, isOwn } = response;
  const head = headerLines(headers, isOwn);
  const { lines } = head;
  const body = response.body && bodyBesideHeaders(response.body, head);
  if (body) lines.push('Content-Length', String(Buffer.byteLength(body)));
  if (statusText === undefined) outgoing.writeHead(status, lines);
  else outgoing.writeHead(status, statusText, lines);
  outgoing.end(body);
}
