import { Agent, createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type ClientHeaders, clientHeaders } from '../../../http/client-headers.ts';
import { parseHostName } from '../../../platform/host-name.ts';

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

test('headers that differ from the last ones in one value are read as if they were the first', async () => {
  const token = (user: string) => ({
    Accept: 'application/json',
    Authorization: `Bearer "${user}"`,
    host: 'a.test',
  });
  const sent: Sent[] = [
    token('one'),
    token('two'),
    token('zwölf'),
    { ...token('zwölf'), host: 'B.test:8000' },
    { ...token('zwölf'), host: 'not a host' },
    { ...token('three'), host: 'b.test' },
    { ...token('three'), Accept: 'text/csv', host: 'b.test' },
    { ...token('four'), Accept: 'text/csv', host: 'b.test' },
    // Integer names come first in an object, wherever they stand in the request.
    { 'x-b': '1', '7': 'a', 'x-a': '1' },
    { 'x-b': '1', '7': 'b', 'x-a': '1' },
    { 'x-b': '2', '7': 'b', 'x-a': '1' },
    { ['__proto__']: '1', constructor: '1' },
    { ['__proto__']: '2', constructor: '1' },
    { ['__proto__']: '2', constructor: '2' },
    { 'x-a': ['1', '2'] },
    { 'x-a': ['1', '3'] },
    { 'x-a': ['4', '3'] },
    { 'x-a': ['', '3'] },
    { 'x-a': ['', ''] },
    { 'x-a': ['5', ''] },
    { 'user-agent': ['1', '1'] },
    { 'user-agent': ['1', '2'] },
    { cookie: ['a=1', 'b=2'] },
    { cookie: ['a=1', 'b=3'] },
    { 'set-cookie': ['a=1'], 'x-a': '1' },
    { 'set-cookie': ['a=2'], 'x-a': '1' },
  ];
  const seen = await readHeaders(sent);
  for (const { headers, read } of seen) {
    const { 'set-cookie': _cookies, ...values } = headers;
    expect(read.values).toEqual(values);
    expect(read.json).toBe(JSON.stringify(values));
    const { host = '' } = values;
    expect(read.hostName).toBe(parseHostName(host));
    expect(read.hasPlainHost).toBe(/^[a-z0-9.-]+(:\d+)?$/.test(host));
  }
  expect(new Set(seen.map(({ read }) => read)).size).toBe(sent.length);
});

test('a connection keeps no headers that one value has made long', async () => {
  const seen = await readHeaders([
    { 'x-a': '1' },
    { 'x-a': '2'.repeat(3_900) },
    { 'x-a': '3'.repeat(3_900) },
    { 'x-a': '3'.repeat(3_900) },
    { 'x-a': '4'.repeat(5_000) },
    { 'x-a': '4'.repeat(5_000) },
    { 'x-a': '5' },
    { 'x-a': '5' },
  ]);
  expect(seen.map(({ isRepeated }) => isRepeated)).toEqual([
    false,
    false,
    false,
    true,
    false,
    false,
    false,
    true,
  ]);
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
