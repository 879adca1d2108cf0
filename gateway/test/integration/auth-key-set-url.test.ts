import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFetchText } from '../../auth/remote-key-set.ts';
import { createNetworkPolicy } from '../../platform/network-policy.ts';

const fetchText = createFetchText(createNetworkPolicy({ allowedNetworks: ['127.0.0.1/32'], ownHosts: [] }));
let asked = 0;

const server = createServer((request, response) => {
  asked++;
  switch (request.url) {
    case '/jwks.json':
      response.end('{"keys":[]}');
      break;
    case '/elsewhere':
      response.writeHead(302, { location: '/jwks.json' }).end();
      break;
    case '/huge':
      response.end(' '.repeat(300 * 1024));
      break;
    default:
      response.writeHead(500).end();
  }
});
let base: string;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

test('a key set is fetched as it is', async () => {
  expect(await fetchText(`${base}/jwks.json`)).toBe('{"keys":[]}');
});

test.each(['/elsewhere', '/huge', '/broken'])(
  'what is no small, plain answer is an error: %s',
  async (path) => {
    await expect(fetchText(base + path)).rejects.toThrow();
  },
);

test('a URL where nobody listens is an error', async () => {
  await expect(fetchText('http://127.0.0.1:1/jwks.json')).rejects.toThrow();
});

test('a URL that leads into the platform’s own networks is not asked, however its host is written', async () => {
  const strict = createFetchText(createNetworkPolicy({ allowedNetworks: [], ownHosts: [] }));
  const { port } = new URL(base);
  const before = asked;
  for (const host of ['127.0.0.1', 'localhost', '2130706433', '[::ffff:127.0.0.1]', '169.254.169.254'])
    await expect(strict(`http://${host}:${port}/jwks.json`)).rejects.toThrow('own networks');
  expect(asked).toBe(before);
});
