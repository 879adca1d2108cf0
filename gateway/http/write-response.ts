import type { ServerResponse } from 'node:http';
import { bodyBesideHeaders } from '../errors/header-text.ts';
import type { HttpResponse } from '../errors/http-response.ts';
import { writeStream } from './write-stream.ts';

/** Writes a whole response, headers and body in one go. To a client that has gone away it writes nothing. */
export function writeResponse(response: HttpResponse, outgoing: ServerResponse): void {
  if (response.stream !== undefined) {
    // Never rejects.
    void writeStream(response, response.stream, outgoing);
    return;
  }
  if (outgoing.destroyed) return;
  const { status, statusText, headers } = response;
  const body = response.body && bodyBesideHeaders(response.body, headers);
  if (body) headers['Content-Length'] = String(Buffer.byteLength(body));
  if (statusText === undefined) outgoing.writeHead(status, headers);
  else outgoing.writeHead(status, statusText, headers);
  outgoing.end(body);
}
