import { Buffer } from 'node:buffer';
import { Socket } from 'node:net';

/** As much as Node's own sockets take at once. */
const BUFFER_BYTES = 64 * 1024;

/** One for all sockets: what was read into it is copied out of it before anything else is read. */
const shared = Buffer.allocUnsafeSlow(BUFFER_BYTES);

/**
 * A socket that reads into a buffer which stays, and hands on copies as long as what has come. Other sockets allocate 64 kB for each read, and free them again
 * when the collector has found them.
 */
export function readingSocket(): Socket {
  const socket: Socket = new Socket({
    onread: {
      buffer: shared,
      callback(bytes) {
        const copy = Buffer.allocUnsafe(bytes);
        shared.copy(copy, 0, 0, bytes);
        // As the socket itself would: `pause` and `end` work without this.
        socket.emit('data', copy);
        return true;
      },
    },
  });
  return socket;
}
