import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientHeaders } from '../../../http/client-headers.ts';
import { isDirect } from '../../../http/direct-route.ts';

const server = createServer((incoming, outgoing) => {
  outgoing.end(String(isDirect(incoming, clientHeaders(incoming), '/rest/v1')));
});
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  agent.destroy();
  server.close();
});

function ask(path: string, host = 'acme.localhost'): Promise<string> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, agent, path, headers: { host } }, (response) => {
      response.setEncoding('utf8').once('data', resolve).resume();
    })
      .once('error', reject)
      .end();
  });
}

test.each([
  '/rest/v1',
  '/rest/v1?x=1',
  '/rest/v1/films?id=eq.1&order=year.desc.nullslast',
  '/rest/v1/films?select=id%2Cname&title=like.*%E2%82%AC*',
  '/rest/v1/%66ilms?or=(a.eq.1,b.in.(1,2))',
  '/rest/v1/rpc/f?a=../x',
])('%s goes straight to the endpoint', async (path) => {
  expect(await ask(path)).toBe('true');
});

test.each([
  '/',
  '/rest/v10/films',
  '/rest/v1films',
  '/rest/v1/../films',
  '/rest/v1/./films',
  '/rest/v1/films/..',
  '/rest/v1/%2e%2e/films',
  '/rest/v1/.%2E/films',
  '/rest/v1/%2E',
  '/rest/v1/%2e?x=1',
  '/rest/v1/"films"',
  '/rest/v1/films?x={a}',
  '/rest/v1\\films',
  'http://acme.localhost/rest/v1/films',
])('%s goes by the router, which makes a URL of it', async (path) => {
  expect(await ask(path)).toBe('false');
});

test('so does a host that may be malformed', async () => {
  expect(await ask('/rest/v1/films', 'acme.localhost:8000')).toBe('true');
  expect(await ask('/rest/v1/films', 'ACME.localhost')).toBe('false');
  expect(await ask('/rest/v1/films', 'acme.localhost:x')).toBe('false');
});
