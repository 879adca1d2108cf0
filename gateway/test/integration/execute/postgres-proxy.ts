import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface PostgresProxy {
  /** The given DSN, through the proxy. */
  readonly url: string;
  /** Types of the frontend messages seen after the start-up of each connection, in order: `P`, `B`, `E`, `S`, `C`, `Q`… */
  readonly messages: string[];
  /** Chunks of data read from clients after start-up. */
  readonly writes: number;
  /** Cancel requests passed on. */
  readonly cancels: number;
  /** Cuts all connections with a reset. */
  cut(): void;
  close(): Promise<void>;
}

/** A TCP proxy in front of a server that notes what clients say. Understands just enough of the protocol to tell messages apart. */
export async function startPostgresProxy(targetUrl: string, port = 0): Promise<PostgresProxy> {
  const target = new URL(targetUrl);
  const sockets = new Set<Socket>();
  const messages: string[] = [];
  const counts = { writes: 0, cancels: 0 };
  const server = createServer((client) => {
    const upstream = connect(Number(target.port || 5432), target.hostname);
    const scanner = new MessageScanner(messages, counts);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on('end', () => to.end());
    }
    client.on('data', (chunk) => {
      scanner.scan(chunk);
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => client.write(chunk));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address() as AddressInfo;
  const url = new URL(targetUrl);
  url.hostname = '127.0.0.1';
  url.port = String(address.port);
  return {
    url: url.href,
    messages,
    get writes() {
      return counts.writes;
    },
    get cancels() {
      return counts.cancels;
    },
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

const CANCEL_CODE = 80_877_102;

class MessageScanner {
  readonly #messages: string[];
  readonly #counts: { writes: number; cancels: number };
  #rest = Buffer.alloc(0);
  #hasStarted = false;

  constructor(messages: string[], counts: { writes: number; cancels: number }) {
    this.#messages = messages;
    this.#counts = counts;
  }

  scan(chunk: Buffer): void {
    if (this.#hasStarted) this.#counts.writes++;
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const head = this.#hasStarted ? 1 : 0;
      if (this.#rest.length < head + 4) return;
      const length = head + this.#rest.readInt32BE(head);
      if (this.#rest.length < length) return;
      if (this.#hasStarted) this.#messages.push(String.fromCharCode(this.#rest[0]!));
      else if (this.#rest.readInt32BE(4) === CANCEL_CODE) this.#counts.cancels++;
      this.#hasStarted = true;
      this.#rest = this.#rest.subarray(length);
    }
  }
}
