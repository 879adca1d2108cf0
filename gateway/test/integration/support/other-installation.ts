import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** A request as it arrived, its body whole. */
export interface Arrived {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Behave = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** Something that speaks HTTP at the other end of a forward, so that a test sees what arrives there and decides what is answered. */
export interface OtherInstallation {
  readonly port: number;
  readonly arrived: Arrived[];
  /** How often a connection was made to it. */
  readonly connections: () => number;
  /** From now on; at first it answers 200 with `[]` once the whole request is there. */
  behave(how: Behave): void;
  close(): Promise<void>;
}

export async function startOtherInstallation(tls?: {
  readonly certificate: string;
  readonly key: string;
}): Promise<OtherInstallation> {
  const arrived: Arrived[] = [];
  let connections = 0;
  let behave: Behave | undefined;
  const listener = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (behave !== undefined) return behave(request, response);
    arrived.push(await wholeOf(request));
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('[]');
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    listener(request, response).catch(() => response.destroy());
  };
  const server =
    tls === undefined
      ? createServer(onRequest)
      : createTlsServer({ cert: tls.certificate, key: tls.key }, onRequest);
  server.on('connection', () => {
    connections++;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    arrived,
    connections: () => connections,
    behave(how) {
      behave = how;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export async function wholeOf(request: IncomingMessage): Promise<Arrived> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { method = '', url = '', headers } = request;
  return { method, url, headers, body: Buffer.concat(chunks).toString() };
}
