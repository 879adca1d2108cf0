import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchText } from '../../auth/remote-key-set.ts';

const server = createServer((request, response) => {
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
