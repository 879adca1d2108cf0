import { Buffer } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../errors/gateway-error.ts';
import type { NodeBindings } from './node-bindings.ts';

/** How long the rest of a refused body is read and thrown away before the connection is cut. */
const DISCARD_TIMEOUT_MS = 10_000;

/** A request's headers, read once: Node makes its own object of them for whoever asks it. */
type SentHeaders = Readonly<Record<string, string | undefined>>;

/**
 * Reads a body into one buffer. A length that is declared and too large is refused before anything is read, and before the
 * client is told to go on (`Expect: 100-continue`).
 *
 * @throws {GatewayError} `GW302`, `GW307` or `GW902`
 */
export function readNodeBody(
  { incoming, outgoing }: NodeBindings,
  headers: SentHeaders,
  maxBytes: number,
): Promise<Uint8Array> {
  if (isEncoded(headers['content-encoding'])) return Promise.reject(encoded());
  if (Number(headers['content-length'] ?? 0) > maxBytes) return Promise.reject(tooLarge(maxBytes));
  if (headers.expect?.toLowerCase() === '100-continue') outgoing.writeContinue();
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let size = 0;
    // Listeners stay where they are: taking them away costs as much as reading a small body.
    let isDone = false;
    const onData = (chunk: Buffer): void => {
      if (isDone) return;
      size += chunk.length;
      if (size > maxBytes) {
        isDone = true;
        chunks = [];
        incoming.pause();
        reject(tooLarge(maxBytes));
      } else {
        chunks.push(chunk);
      }
    };
    const onEnd = (): void => {
      if (isDone) return;
      isDone = true;
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size));
    };
    const onLost = (): void => {
      if (isDone) return;
      isDone = true;
      reject(new GatewayError('GW902'));
    };
    // A request that breaks off closes; it raises an error only where somebody listens for one.
    incoming.on('data', onData).on('end', onEnd).on('close', onLost);
    if (incoming.destroyed && !incoming.readableEnded) onLost();
  });
}

/**
 * A body as it comes, for whoever passes it on. Compressed ones are not for us to judge.
 *
 * Throws `GW302` as soon as it is known to be too large, and `GW902` when the client goes away.
 */
export function passNodeBody(
  { incoming, outgoing }: NodeBindings,
  headers: SentHeaders,
  maxBytes: number,
): AsyncIterable<Uint8Array> {
  if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  if (headers.expect?.toLowerCase() === '100-continue') outgoing.writeContinue();
  return countedPieces(incoming, maxBytes);
}

async function* countedPieces(incoming: IncomingMessage, maxBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  try {
    // The rest of a body that is not wanted is thrown away when the answer is sent, not by cutting the connection.
    for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
      size += (chunk as Uint8Array).length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      yield chunk as Uint8Array;
    }
  } catch (error) {
    throw error instanceof GatewayError ? error : new GatewayError('GW902', { cause: error });
  }
}

/**
 * Reads and throws away what is left of a body once its request was answered. Cutting the connection at once would make many
 * clients lose the answer, since they read only after they have sent everything; keeping it lets the next request follow.
 */
export function discardRest(incoming: IncomingMessage): void {
  if (incoming.readableEnded || incoming.destroyed) return;
  const { socket } = incoming;
  const timer = setTimeout(() => socket.destroy(), DISCARD_TIMEOUT_MS);
  timer.unref();
  const done = (): void => clearTimeout(timer);
  incoming.on('error', done).once('end', done).once('close', done);
  incoming.resume();
}

/** Whether a body was announced. */
export function hasBody(headers: SentHeaders): boolean {
  const length = headers['content-length'];
  return (length !== undefined && length !== '0') || headers['transfer-encoding'] !== undefined;
}

/** A small body may unfold to a huge one, and no client of this API compresses what it sends. */
export function isEncoded(contentEncoding: string | undefined): boolean {
  return contentEncoding !== undefined && contentEncoding !== '' && contentEncoding !== 'identity';
}

export function encoded(): GatewayError {
  return new GatewayError('GW307', { headers: { 'Accept-Encoding': 'identity' } });
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError('GW302', { details: `The limit is ${maxBytes} bytes` });
}
