import { type AddressInfo, connect, createServer } from 'node:net';

export interface WireMutator {
  /** The given DSN, through the proxy. */
  readonly url: string;
  /** From now on `part` is replaced in what clients send; both have the same length. `undefined`: nothing is. */
  mutate(part: string | undefined, instead: string): void;
  close(): Promise<void>;
}

/** A proxy in front of PostgreSQL that can change statements on their way. */
export async function startWireMutator(targetUrl: string): Promise<WireMutator> {
  const target = new URL(targetUrl);
  let mutation: { readonly part: Buffer; readonly instead: Buffer } | undefined;
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    sockets.add(client).add(upstream);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
    client.on('data', (chunk) => {
      if (mutation !== undefined) {
        for (let at = chunk.indexOf(mutation.part); at !== -1; at = chunk.indexOf(mutation.part)) {
          mutation.instead.copy(chunk, at);
        }
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => client.write(chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(targetUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    mutate(part, instead) {
      if (part !== undefined && part.length !== instead.length) throw new Error('another length');
      mutation = part === undefined ? undefined : { part: Buffer.from(part), instead: Buffer.from(instead) };
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
