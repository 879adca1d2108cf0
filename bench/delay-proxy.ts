import { connect, createServer, type Socket } from 'node:net';

/**
 * A TCP proxy that makes every round trip longer, as a network between gateway and database would: what the server sends is held back
 * for DELAY_MS, in order. Nothing is limited but time. A process of its own: PROXY_PORT, SERVER_PORT, DELAY_MS.
 */
function main(env: NodeJS.ProcessEnv): void {
  const delayMs = Number(env.DELAY_MS);
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: Number(env.SERVER_PORT), host: '127.0.0.1', noDelay: true });
    client.pipe(upstream);
    sendLate(upstream, client, delayMs);
    // Whichever side breaks, the other is of no use any more.
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
  });
  server.listen(Number(env.PROXY_PORT), '127.0.0.1');
}

/** Equal delays keep the order: timers of one length fire in the order they were set. */
function sendLate(from: Socket, to: Socket, delayMs: number): void {
  from.on('data', (chunk) => void setTimeout(() => to.write(chunk), delayMs));
  from.on('end', () => void setTimeout(() => to.end(), delayMs));
}

main(process.env);
