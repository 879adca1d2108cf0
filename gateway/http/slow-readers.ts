import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** How often connections with an answer that was not taken yet are looked for. */
const SWEEP_MS = 5_000;

/**
 * Cuts connections whose client takes nothing of its answer for `idleMs`: neither the limits of a request nor keep-alive's count then, and the
 * answer would be held for ever. Looks from time to time instead of at every response. Node's own timer knows progress: a slow client that
 * reads is left alone, and the next request clears it.
 *
 * @param options.sweepMs milliseconds between two looks
 */
export function cutSlowReaders(
  server: Server,
  { idleMs, sweepMs = SWEEP_MS }: { readonly idleMs: number; readonly sweepMs?: number },
): void {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const timer = setInterval(() => {
    for (const socket of sockets) {
      if (socket.writableLength > 0 && !socket.timeout) socket.setTimeout(idleMs);
    }
  }, sweepMs);
  timer.unref();
  server.once('close', () => clearInterval(timer));
}
