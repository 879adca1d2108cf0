import { connect, createServer, type Server, type Socket } from 'node:net';

/** How a server that is no use behaves. */
export type Badness =
  /** Accepts and never says a word. */
  | 'black hole'
  /** Sends a message that never ends, one byte at a time. */
  | 'slow loris'
  /** Refuses connections. */
  | 'refusing'
  /** Passes everything on, as it should. */
  | 'none';

export interface BadServer {
  readonly port: number;
  /** Sockets that clients have open. */
  readonly clients: number;
  /** Changes how it behaves from the next connection on, and cuts those that are there. */
  become(badness: Badness): Promise<void>;
  /** Stops passing anything on, both ways, without closing a socket: a network that drops packets. */
  freeze(): void;
  close(): Promise<void>;
}

const LORIS_PAUSE_MS = 50;

/** A port that behaves badly, in front of `target`, whose turn comes with `none`. */
export async function startBadServer(target: { readonly port: number }, first: Badness): Promise<BadServer> {
  const clients = new Set<Socket>();
  const timers = new Set<NodeJS.Timeout>();
  let badness = first;
  let isFrozen = false;
  let server: Server | undefined;
  let port = 0;

  const serve = (client: Socket) => {
    clients.add(client);
    client.on('error', () => undefined);
    client.on('close', () => clients.delete(client));
    if (badness === 'slow loris') {
      // `R`, a length, and then as many bytes as there is patience for.
      const bytes = [0x52, 0x00, 0x10, 0x00, 0x00];
      const timer = setInterval(() => void client.write(Buffer.from([bytes.shift() ?? 0])), LORIS_PAUSE_MS);
      timers.add(timer);
      client.on('close', () => clearInterval(timer));
    } else if (badness === 'none') {
      const upstream = connect(target.port, '127.0.0.1');
      upstream.on('error', () => client.destroy());
      upstream.on('close', () => client.destroy());
      client.on('close', () => upstream.destroy());
      client.on('data', (chunk) => void (isFrozen || upstream.write(chunk)));
      upstream.on('data', (chunk) => void (isFrozen || client.write(chunk)));
    } else client.resume();
  };

  const listen = async () => {
    server = createServer(serve);
    await new Promise<void>((resolve) => server!.listen(port, '127.0.0.1', resolve));
    const address = server.address();
    if (typeof address === 'object' && address !== null) port = address.port;
  };
  const cut = () => {
    for (const client of clients) client.destroy();
  };
  const stop = async () => {
    const closing = server;
    server = undefined;
    cut();
    if (closing !== undefined) await new Promise((resolve) => closing.close(resolve));
  };

  await listen();
  if (first === 'refusing') await stop();
  return {
    get port() {
      return port;
    },
    get clients() {
      return clients.size;
    },
    async become(next) {
      badness = next;
      isFrozen = false;
      if (next === 'refusing') await stop();
      else if (server === undefined) await listen();
      cut();
    },
    freeze() {
      isFrozen = true;
    },
    async close() {
      for (const timer of timers) clearInterval(timer);
      await stop();
    },
  };
}
