import { Agent, createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type ClientHeaders, clientHeaders } from '../../../http/client-headers.ts';

type Sent = Readonly<Record<string, string | string[]>>;

interface Seen {
  /** As Node has them. */
  readonly headers: IncomingMessage['headers'];
  readonly read: ClientHeaders;
  readonly isRepeated: boolean;
}

/** Sends requests with these headers over one connection; what was read of each. */
async function readHeaders(sent: readonly Sent[]): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  const sockets = new Set<unknown>();
  const server = createServer((incoming, outgoing) => {
    sockets.add(incoming.socket);
    const read = clientHeaders(incoming);
    seen.push({ headers: incoming.headers, read, isRepeated: read.isRepeated });
    outgoing.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => {
    agent.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  for (const headers of sent) {
    await new Promise<void>((resolve, reject) => {
      request({ host: '127.0.0.1', port, agent, headers }, (response) => {
        response.resume().once('end', resolve);
      })
        .once('error', reject)
        .end();
    });
  }
  expect(sockets.size).toBe(1);
  return seen;
}

test('each request on a connection has its own headers, like or unlike the last one', async () => {
  const sent: Sent[] = [
    { 'x-a': '1' },
    { 'x-a': '1' },
    { 'x-a': '2' },
    { 'x-A': '2' },
    { 'x-a': '2', 'x-b': '' },
    { 'x-b': '', 'x-a': '2' },
    { 'x-a': ['2', '3'] },
    { 'x-a': '2, 3' },
    {},
    { 'x-a': '1' },
    { 'x-a': 'é'.repeat(3_000) },
    { 'x-a': 'é'.repeat(3_000) },
    { 'x-a': '1' },
  ];
  const seen = await readHeaders(sent);
  for (const { headers, read } of seen) {
    expect(read.values).toEqual(headers);
    expect(read.json).toBe(JSON.stringify(headers));
  }
  expect(new Set(seen.map(({ read }) => read.json)).size).toBeGreaterThan(6);
});

test('the same headers again are the same object, unless they are too long to be kept', async () => {
  const long = 'é'.repeat(5_000);
  const seen = await readHeaders([
    { 'x-a': '1' },
    { 'x-a': '1' },
    { 'x-a': '2' },
    { 'x-a': long },
    { 'x-a': long },
  ]);
  expect(seen.map(({ isRepeated }) => isRepeated)).toEqual([false, true, false, false, false]);
  expect(seen[1]?.read).toBe(seen[0]?.read);
  expect(seen[4]?.read).not.toBe(seen[3]?.read);
});

test('cookies that a client sets are in none of them, as a list has no place among texts', async () => {
  const [first, second] = await readHeaders([
    { 'set-cookie': ['a=1', 'b=2'] },
    { 'set-cookie': ['a=1', 'b=2'] },
  ]);
  expect(first?.read.values).not.toHaveProperty('set-cookie');
  expect(second?.read).toBe(first?.read);
});
