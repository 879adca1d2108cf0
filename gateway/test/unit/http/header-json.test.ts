import { Agent, createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { headersJson } from '../../../http/header-json.ts';

type Sent = Readonly<Record<string, string | string[]>>;

/** Sends requests with these headers over one connection; what `headersJson` says of each, and what their headers were. */
async function jsonOf(
  sent: readonly Sent[],
): Promise<{ json: string; headers: IncomingMessage['headers'] }[]> {
  const seen: { json: string; headers: IncomingMessage['headers'] }[] = [];
  const sockets = new Set<unknown>();
  const server = createServer((incoming, outgoing) => {
    sockets.add(incoming.socket);
    const json = headersJson(incoming, incoming.headers as Record<string, string>);
    seen.push({ json, headers: incoming.headers });
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
  const seen = await jsonOf(sent);
  expect(seen.map(({ json }) => json)).toEqual(seen.map(({ headers }) => JSON.stringify(headers)));
  expect(new Set(seen.map(({ json }) => json)).size).toBeGreaterThan(6);
});
