import { connect, createServer, type Socket } from 'node:net';

export interface BlockedProxy {
  readonly port: number;
  /** `listeners`: connections that listen hear nothing any more, whoever asks is answered; `all`: nobody is; `none`: everything passes. */
  block(what: 'none' | 'listeners' | 'all'): void;
  close(): Promise<void>;
}

/** Passes bytes on to a PostgreSQL, but keeps its notifications, or everything it says, back when told so. What was kept back is lost. */
export async function startBlockedProxy(targetPort: number): Promise<BlockedProxy> {
  let blocked: 'none' | 'listeners' | 'all' = 'none';
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1');
    let isListener = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.on('error', () => undefined);
    }
    client.on('data', (chunk) => {
      isListener ||= chunk.includes('LISTEN');
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (blocked === 'all' || (blocked === 'listeners' && isListener)) return;
      client.write(chunk);
    });
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    block: (what) => {
      blocked = what;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
