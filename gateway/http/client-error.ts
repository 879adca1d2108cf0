import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ErrorCode } from '../errors/error-codes.ts';
import { errorBody } from '../errors/error-response.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import { NO_STAGES, type Observe } from '../platform/observation.ts';

/** Time for the client to take its answer before the connection is cut. */
const LINGER_MS = 2_000;

/**
 * Answers what Node's parser refused before there was a request: headers too large, a line that is no HTTP, a request that
 * never ends. The connection is closed, since nobody knows where the next request would begin.
 */
export function createClientErrorHandler(observe: Observe): (error: Error, socket: Socket) => void {
  const answered = new WeakSet<Socket>();
  return (error, socket) => {
    // What else arrives on a refused connection is refused again, byte by byte.
    if (answered.has(socket)) return;
    answered.add(socket);
    const code = 'code' in error ? error.code : undefined;
    if (code === 'ECONNRESET' || !socket.writable || hasResponseUnderWay(socket)) {
      socket.destroy();
      return;
    }
    const refusal = new GatewayError(refusalCode(code));
    const requestId = randomUUID();
    const { status } = refusal;
    observe({
      kind: 'request-finished',
      requestId,
      tenantId: undefined,
      method: '',
      route: 'malformed',
      status,
      errorCode: refusal.code,
      upstream: undefined,
      rows: undefined,
      durationMs: 0,
      stages: NO_STAGES,
    });
    const body = errorBody(refusal, 'verbose');
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `Proxy-Status: PostgREST; error=${refusal.code}`,
      `X-Request-Id: ${requestId}`,
      'X-Content-Type-Options: nosniff',
      'Access-Control-Allow-Origin: *',
      'Connection: close',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
    // Cut at once, a client that is still sending would get a reset instead of the answer.
    socket.resume();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  };
}

function refusalCode(code: unknown): ErrorCode {
  if (code === 'HPE_HEADER_OVERFLOW') return 'GW303';
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'GW304' : 'GW108';
}

/** Answering in the middle of another answer would be taken for its body. */
function hasResponseUnderWay(socket: Socket & { readonly _httpMessage?: unknown }): boolean {
  const message = socket._httpMessage;
  return (
    typeof message === 'object' &&
    message !== null &&
    'headersSent' in message &&
    message.headersSent === true
  );
}
