import { connect } from 'node:net';

/** How long the server may take to accept and close the connection that carries the request. */
const CANCEL_TIMEOUT_MS = 5_000;

export interface CancelTarget {
  /** Host name, address, or directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly processId: number;
  readonly secretKey: number;
}

/**
 * Asks the server to cancel what a connection is running, over a connection of its own as the protocol wants it. Resolves to
 * `true` once the server has closed that connection, i.e. has sent the signal; to `false` when it could not be told.
 */
export function sendCancelRequest(target: CancelTarget): Promise<boolean> {
  return new Promise((resolve) => {
    const { host, port } = target;
    const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    let wasSent = false;
    socket.setTimeout(CANCEL_TIMEOUT_MS, () => socket.destroy(new Error('timed out')));
    socket.once('connect', () => {
      socket.write(cancelMessage(target));
      wasSent = true;
    });
    let hasFailed = false;
    socket.once('error', () => {
      hasFailed = true;
    });
    socket.once('close', () => resolve(wasSent && !hasFailed));
    socket.resume();
  });
}

function cancelMessage({ processId, secretKey }: CancelTarget): Buffer {
  const message = Buffer.alloc(16);
  message.writeInt32BE(16, 0);
  message.writeInt16BE(1234, 4);
  message.writeInt16BE(5678, 6);
  message.writeInt32BE(processId, 8);
  message.writeInt32BE(secretKey, 12);
  return message;
}
