import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cutSlowReaders } from '../../http/slow-readers.ts';
import { type Edge, signFor, startEdge } from './support/edge.ts';
import { RawConnection, type RawResponse } from './support/raw-http.ts';

let edge: Edge;

beforeAll(async () => {
  edge = await startEdge();
});
afterAll(() => edge?.close());

const TARGET = '/rest/v1/notes?id=eq.1';
const OWN = '[{"id":1,"body":"first of acme"}]';
const GLOBEX = `GET ${TARGET} HTTP/1.1\r\nHost: globex.localhost\r\n\r\n`;

/** All that comes back on one connection until it is closed or silent for good. */
async function send(text: string, answers = 1): Promise<RawResponse[]> {
  const connection = await RawConnection.open(edge.port);
  await connection.send(text);
  const received: RawResponse[] = [];
  try {
    for (let i = 0; i < answers; i++) received.push(await connection.receive());
    return received;
  } finally {
    connection.destroy();
  }
}

describe('a request that two servers could read in two ways is refused, and what follows it is not read', () => {
  const post = (...headers: string[]) =>
    `POST /rest/v1/notes HTTP/1.1\r\nHost: acme.localhost\r\n${headers.join('\r\n')}\r\n\r\n`;

  test.each([
    ['both lengths', `${post('Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n`],
    [
      'both lengths, the other way round',
      `${post('Transfer-Encoding: chunked', 'Content-Length: 5')}0\r\n\r\n`,
    ],
    ['two different lengths', `${post('Content-Length: 0', 'Content-Length: 80')}`],
    ['two lengths in one', post('Content-Length: 0, 80')],
    ['a length with a sign', post('Content-Length: +0')],
    ['a length in hexadecimal', post('Content-Length: 0x0')],
    ['an unknown coding', post('Transfer-Encoding: xchunked')],
    ['chunked and something after it', post('Transfer-Encoding: chunked, identity')],
    ['a folded header', post('Transfer-Encoding:\r\n chunked')],
    ['a space before the colon', post('Transfer-Encoding : chunked')],
    ['a chunk whose size is no number', `${post('Transfer-Encoding: chunked')}zz\r\n\r\n`],
    ['a chunk that is longer than its size', `${post('Transfer-Encoding: chunked')}1\r\nabc\r\n0\r\n\r\n`],
    ['lines that end with LF alone', 'POST /rest/v1/notes HTTP/1.1\nHost: acme.localhost\n\n'],
    ['a bare CR in a value', post('X: a\rTransfer-Encoding: chunked')],
    ['a NUL in a value', post('X: a\0b')],
  ])('%s', async (_, text) => {
    const connection = await RawConnection.open(edge.port);
    await connection.send(text + GLOBEX);
    const answer = await connection.receive();
    expect(answer).toMatchObject({ status: 400, headers: { connection: 'close' } });
    await connection.untilClosed();
    await expect(connection.receive()).rejects.toThrow('closed after ""');
  });
});

describe('hosts', () => {
  const get = (...lines: string[]) => `${lines.join('\r\n')}\r\n\r\n`;

  test.each([
    ['Host: acme.localhost', 'Host: globex.localhost'],
    ['Host: acme.localhost', 'Host: acme.localhost'],
  ])('of two, %s and %s, none is taken', async (...hosts) => {
    const [answer] = await send(get(`GET ${TARGET} HTTP/1.1`, ...hosts));
    expect(answer).toMatchObject({ status: 400, body: expect.stringContaining('GW108') });
  });

  test('of two tokens none is taken', async () => {
    const good = await signFor(edge.acme, { role: 'service_role' });
    const bearers = [`Authorization: Bearer ${good}`, 'Authorization: Bearer x.y.z'];
    const [answer] = await send(get(`GET ${TARGET} HTTP/1.1`, 'Host: acme.localhost', ...bearers));
    expect(answer?.status).toBe(401);
  });

  test.each([
    ['Forwarded', 'host=globex.localhost'],
    ['X-Forwarded-Host', 'globex.localhost'],
    ['X-Forwarded-Server', 'globex.localhost'],
    ['X-Host', 'globex.localhost'],
    ['X-Original-URL', '/rest/v1/secrets'],
    ['X-Rewrite-URL', '/rest/v1/secrets'],
  ])('%s from anybody changes nothing', async (name, value) => {
    const [answer] = await send(get(`GET ${TARGET} HTTP/1.1`, 'Host: acme.localhost', `${name}: ${value}`));
    expect(answer).toMatchObject({ status: 200, body: OWN });
  });
});

describe('bodies', () => {
  test.each(['gzip', 'br', 'deflate', 'zstd', 'gzip, gzip', 'GZIP'])(
    'a body in %s is refused before it is read',
    async (coding) => {
      const head = 'POST /rest/v1/notes HTTP/1.1\r\nHost: acme.localhost\r\nContent-Type: application/json';
      const [answer, next] = await send(
        `${head}\r\nContent-Length: 4\r\nContent-Encoding: ${coding}\r\n\r\nabcd${GLOBEX}`,
        2,
      );
      expect(answer).toMatchObject({
        status: 415,
        headers: { 'accept-encoding': 'identity' },
        body: expect.stringContaining('"code":"GW307"'),
      });
      expect(next?.body).toBe('[{"id":1,"body":"first of globex"}]');
    },
  );

  test('identity is no compression', async () => {
    const head = 'POST /rest/v1/notes HTTP/1.1\r\nHost: acme.localhost\r\nContent-Type: application/json';
    const body = '{"id":88,"body":"x"}';
    const [answer] = await send(
      `${head}\r\nContent-Length: ${body.length}\r\nContent-Encoding: identity\r\n\r\n${body}`,
    );
    expect(answer?.status).toBe(201);
  });
});

describe('what browsers are told', () => {
  test.each([TARGET, '/rest/v1/nothing', '/nowhere'])(
    '%s is nothing to guess the type of',
    async (target) => {
      const [answer] = await send(`GET ${target} HTTP/1.1\r\nHost: acme.localhost\r\n\r\n`);
      expect(answer?.headers).toMatchObject({ 'x-content-type-options': 'nosniff' });
    },
  );

  test('an answer that depends on the origin says so to caches', async () => {
    await edge.control(
      `UPDATE control.tenants SET postgrest = postgrest || '{"server-cors-allowed-origins": "https://a.example"}' WHERE id = 'globex'`,
    );
    await expect
      .poll(async () => (await send(GLOBEX))[0]?.headers)
      .toMatchObject({ vary: 'Accept, Prefer, Range, Origin' });
    const [acme] = await send(`GET ${TARGET} HTTP/1.1\r\nHost: acme.localhost\r\n\r\n`);
    expect(acme?.headers.vary).toBe('Accept, Prefer, Range');
  });
});

test('a client that takes nothing of its answer is cut off; one that is slow is not', async () => {
  const outcomes: Record<string, string> = {};
  const server = createServer(({ url = '' }, response) => {
    response.on('close', () => {
      outcomes[url] = response.writableFinished ? 'complete' : 'cut';
    });
    response.end(Buffer.alloc(20_000_000));
  });
  cutSlowReaders(server, { idleMs: 400, sweepMs: 20 });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const ask = (path: string): Socket => {
    const socket = connect(port, '127.0.0.1').pause();
    socket.on('error', () => {});
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    return socket;
  };
  const idle = ask('/idle');
  const slow = ask('/slow');
  // Some at a time, for longer than an idle client is given.
  const timer = setInterval(() => slow.read(), 5);
  await expect.poll(() => outcomes, { timeout: 20_000 }).toEqual({ '/idle': 'cut', '/slow': 'complete' });
  clearInterval(timer);
  idle.destroy();
  slow.destroy();
  await new Promise((resolve) => server.close(resolve));
});
