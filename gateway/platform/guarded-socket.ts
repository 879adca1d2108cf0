import { Socket } from 'node:net';
import type { NetworkPolicy } from './network-policy.ts';

/**
 * A socket that connects to nothing but what the policy allows: the name is looked up once, its addresses are checked, and one of these
 * addresses is connected to. A name that answers differently the next time (DNS rebinding) gains nothing by it.
 *
 * Made for `pg`, which calls `connect(port, host)` or, for a Unix socket, `connect(path)`; both end in the socket's `error` event when refused.
 */
export function guardedSocket(policy: NetworkPolicy): Socket {
  const socket = new Socket();
  const connect = socket.connect.bind(socket);

  async function start(port: unknown, host: unknown): Promise<void> {
    try {
      const addresses = await policy.resolve(typeof host === 'string' ? host : '');
      // Given up while the name was looked up.
      if (socket.destroyed) return;
      connect({
        port: Number(port),
        host: 'already-resolved.invalid',
        autoSelectFamily: true,
        lookup: (_host, { all }, done) => {
          const [first] = addresses;
          if (all === true)
            done(
              null,
              addresses.map(({ address, family }) => ({ address, family })),
            );
          else done(null, first?.address ?? '', first?.family);
        },
      });
    } catch (error) {
      socket.destroy(error instanceof Error ? error : new Error('the host could not be looked up'));
    }
  }

  Object.defineProperty(socket, 'connect', {
    value: (port: unknown, host: unknown) => {
      void start(port, host); // It never rejects: the socket's `error` event tells of a failure.
      return socket;
    },
  });
  return socket;
}
