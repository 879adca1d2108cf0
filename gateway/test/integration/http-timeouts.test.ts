import { afterEach, expect, test } from 'vitest';
import { splitUrl } from '../../http/http-request.ts';
import { createHttpServer, type HttpServer } from '../../http/http-server.ts';
import { NodeRequest } from '../../http/node-request.ts';
import type { Observation } from '../../platform/observation.ts';
import { defaultSettings } from '../../platform/settings.ts';
import { RawConnection } from './support/raw-http.ts';

let server: HttpServer;
afterEach(() => server.drain(AbortSignal.timeout(100)));

/** A server that answers with the length of the body it was sent. */
async function serve() {
  const observations: Observation[] = [];
  const outcomes: unknown[] = [];
  server = createHttpServer({
    fetch: async (raw, node) => {
      const body = new NodeRequest(node, splitUrl(raw.url)).readBody(1_000);
      body.catch((error: unknown) => outcomes.push(error));
      return new Response(String((await body).length));
    },
    settings: { ...defaultSettings().gateway, port: 0, headersTimeoutMs: 100, requestTimeoutMs: 200 },
    observe: (observation) => void observations.push(observation),
  });
  return { connection: await RawConnection.open(await server.listen()), observations, outcomes };
}

const tooSlow = { status: 408, body: expect.stringContaining('"code":"GW304"') };

test('headers that never end are answered with 408', async () => {
  const { connection, observations } = await serve();
  await connection.send('GET / HTTP/1.1\r\nHost: a\r\n');
  expect(await connection.receive()).toMatchObject(tooSlow);
  await connection.untilClosed();
  expect(observations).toEqual([
    expect.objectContaining({ kind: 'request-finished', status: 408, errorCode: 'GW304' }),
  ]);
});

test('a body that never ends is answered with 408, and whoever read it hears of its end', async () => {
  const { connection, outcomes } = await serve();
  await connection.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
  expect(await connection.receive()).toMatchObject(tooSlow);
  await connection.untilClosed();
  await expect.poll(() => outcomes).toEqual([expect.objectContaining({ code: 'GW902' })]);
});

test('a body that comes in time is read', async () => {
  const { connection } = await serve();
  await connection.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
  await connection.send('defghij');
  expect(await connection.receive()).toMatchObject({ status: 200, body: '10' });
});
