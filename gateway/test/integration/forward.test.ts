import { request as startRequest } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority } from '../../../test/support/certificates.ts';
import { ask } from './support/ask.ts';
import { type Edge, startEdge, untilTrue } from './support/edge.ts';
import { type OtherInstallation, startOtherInstallation, wholeOf } from './support/other-installation.ts';

const HOST = 'acme.localhost';
const NOTES = '/rest/v1/notes';
const MAX_REQUESTS = 3;

let edge: Edge;
const others: OtherInstallation[] = [];

beforeAll(async () => {
  edge = await startEdge({
    gateway: { forwardMaxRequests: MAX_REQUESTS, forwardTimeoutMs: 700, maxBodyBytes: 200_000 },
  });
});
afterEach(async () => {
  await Promise.all(others.splice(0).map((other) => other.close()));
});
afterAll(() => edge?.close());

const target = () => ({ url: edge.url, host: HOST });

/** Waits for the gateway to have heard of it. */
async function change(columns: string, values: readonly unknown[] = []): Promise<void> {
  const heard = () =>
    edge.observations.filter((one) => one.kind === 'tenant-cache' && one.outcome === 'invalidated').length;
  const before = heard();
  await edge.control(`UPDATE control.tenants SET ${columns} WHERE id = 'acme'`, values);
  await untilTrue(() => heard() > before);
}

const forwardTo = (url: string, ca: string | null = null) =>
  change(`status = 'forwarded', forward_url = $1, forward_ca_certificate = $2`, [url, ca]);
const atHome = (status = 'active') =>
  change(`status = $1, forward_url = NULL, forward_ca_certificate = NULL`, [status]);

async function anotherInstallation(
  tls?: Parameters<typeof startOtherInstallation>[0],
): Promise<OtherInstallation> {
  const other = await startOtherInstallation(tls);
  others.push(other);
  if (tls === undefined) await forwardTo(`http://127.0.0.1:${other.port}`);
  return other;
}

const outcomes = () =>
  edge.observations.flatMap((one) => (one.kind === 'request-forwarded' ? [one.outcome] : []));

describe('a request of a forwarded tenant', () => {
  test('arrives as it was sent, tokens and all, and the answer comes back as it was given', async () => {
    const other = await anotherInstallation();
    other.behave(async (request, response) => {
      other.arrived.push(await wholeOf(request));
      response.writeHead(201, 'Made Here', {
        'Content-Type': 'application/json; charset=utf-8',
        'Content-Range': '0-0/1',
        'Set-Cookie': ['a=1', 'b=2'],
        'Proxy-Authenticate': 'about the connection',
      });
      response.end('[{"id":1}]');
    });
    const answer = await ask(target(), `${NOTES}?select=id&body=eq.a%2Fb%20c`, {
      method: 'POST',
      headers: {
        authorization: 'Bearer not-ours-to-read',
        apikey: 'sb_publishable_x',
        prefer: 'return=representation',
        'content-type': 'application/json',
        'x-request-id': 'of-the-client',
        connection: 'close, x-private',
        'x-private': 'about this connection',
      },
      body: '{"id":1}',
    });
    expect(answer).toMatchObject({ status: 201, text: '[{"id":1}]' });
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'content-range': '0-0/1',
      'set-cookie': ['a=1', 'b=2'],
      via: '1.1 cascata-edge',
    });
    expect(answer.headers['proxy-authenticate']).toBeUndefined();
    const [arrived] = other.arrived;
    expect(other.arrived).toHaveLength(1);
    expect(arrived).toMatchObject({
      method: 'POST',
      url: `${NOTES}?select=id&body=eq.a%2Fb%20c`,
      body: '{"id":1}',
      headers: {
        host: HOST,
        authorization: 'Bearer not-ours-to-read',
        apikey: 'sb_publishable_x',
        prefer: 'return=representation',
        'content-length': '8',
        'x-request-id': 'of-the-client',
        via: '1.1 cascata-edge',
      },
    });
    expect(arrived?.headers['x-private']).toBeUndefined();
  });

  test('tells the other side who asked, whatever the client claims to be', async () => {
    const other = await anotherInstallation();
    await ask(target(), NOTES, {
      headers: {
        'x-forwarded-for': '8.8.8.8',
        'x-forwarded-host': 'globex.localhost',
        'x-forwarded-proto': 'https',
        forwarded: 'for=8.8.8.8',
        'x-real-ip': '8.8.8.8',
      },
    });
    const headers = other.arrived[0]!.headers;
    expect(headers).toMatchObject({
      host: HOST,
      'x-forwarded-host': HOST,
      'x-forwarded-proto': 'http',
    });
    expect(headers['x-forwarded-for']).toMatch(/^(?:::ffff:)?127\.0\.0\.1$/);
    expect([headers.forwarded, headers['x-real-ip']]).toEqual([undefined, undefined]);
  });

  test('streams both ways: neither side waits for the other to have said all', async () => {
    const other = await anotherInstallation();
    const first = Promise.withResolvers<string>();
    other.behave(async (request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/plain' });
      for await (const piece of request) {
        first.resolve(String(piece));
        response.write(`got ${String(piece)};`);
      }
      response.end('all');
    });
    const answered = Promise.withResolvers<void>();
    let text = '';
    const outgoing = startRequest(
      `${edge.url}${NOTES}`,
      { method: 'POST', headers: { host: HOST }, agent: false },
      (incoming) => {
        incoming.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
          if (piece.includes('one')) outgoing.end('two');
        });
        incoming.on('end', () => answered.resolve());
      },
    );
    outgoing.write('one');
    expect(await first.promise).toBe('one');
    await answered.promise;
    expect(text).toBe('got one;got two;all');
  });

  test('is answered for HEAD, OPTIONS and statuses without a body too', async () => {
    const other = await anotherInstallation();
    other.behave((request, response) => {
      if (request.method === 'HEAD') response.writeHead(206, { 'Content-Length': '5' }).end();
      else response.writeHead(204, { 'Access-Control-Allow-Origin': 'there' }).end();
    });
    expect(await ask(target(), NOTES, { method: 'HEAD' })).toMatchObject({
      status: 206,
      text: '',
      headers: { 'content-length': '5' },
    });
    expect(await ask(target(), NOTES, { method: 'DELETE' })).toMatchObject({ status: 204, text: '' });
    const preflight = { origin: 'https://app.example.com', 'access-control-request-method': 'POST' };
    expect(await ask(target(), NOTES, { method: 'OPTIONS', headers: preflight })).toMatchObject({
      status: 204,
      headers: { 'access-control-allow-origin': 'there' },
    });
  });
});

describe('a write that waits for the move', () => {
  test('goes to the other installation with the body that was read, once', async () => {
    const other = await anotherInstallation();
    await atHome('moving');
    const writing = ask(target(), NOTES, {
      method: 'POST',
      headers: { apikey: edge.acme.secret, 'content-type': 'application/json' },
      body: '{"id":77,"body":"held"}',
    });
    await untilTrue(async () => /cascata_held_writes 1\b/.test(await edge.services.metrics.render()));
    await forwardTo(`http://127.0.0.1:${other.port}`);
    expect((await writing).status).toBe(200);
    expect(other.arrived.map(({ method, body, headers }) => [method, body, headers.apikey])).toEqual([
      ['POST', '{"id":77,"body":"held"}', edge.acme.secret],
    ]);
  });

  test('does so in a batch as well', async () => {
    const other = await anotherInstallation();
    await change(`postgrest = postgrest || '{"cascata-batch-max-requests": 5}'`);
    await atHome('moving');
    const body = JSON.stringify([{ method: 'POST', path: '/notes', body: { id: 78, body: 'held' } }]);
    const writing = ask(target(), `/rest/v1/-/batch`, {
      method: 'POST',
      headers: { apikey: edge.acme.secret, 'content-type': 'application/json' },
      body,
    });
    await untilTrue(async () => /cascata_held_writes 1\b/.test(await edge.services.metrics.render()));
    await forwardTo(`http://127.0.0.1:${other.port}`);
    expect((await writing).status).toBe(200);
    expect(other.arrived.map(({ url, body: sent }) => [url, sent])).toEqual([['/rest/v1/-/batch', body]]);
  });
});

describe('what can go wrong on the way', () => {
  test('a circle is ended with 508', async () => {
    await forwardTo(edge.url);
    expect(await ask(target(), NOTES)).toMatchObject({ status: 508, json: { code: 'GW208' } });
  });

  test('an installation that takes no connections: 503, and it is said that nothing was sent', async () => {
    const other = await anotherInstallation();
    await others.pop()!.close();
    const answer = await ask(target(), NOTES, { method: 'POST', body: '{}' });
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' }, json: { code: 'GW205' } });
    expect(answer.text).toContain('Nothing was sent');
    expect(answer.text).not.toContain(String(other.port));
  });

  test('an address that is not allowed is not connected to', async () => {
    await forwardTo('http://10.255.255.1');
    expect(await ask(target(), NOTES)).toMatchObject({
      status: 503,
      json: {
        code: 'GW205',
        details: 'Its address is one that this installation does not allow. Nothing was sent there',
      },
    });
  });

  test('a connection that breaks: a read is sent again, a write is not', async () => {
    const other = await anotherInstallation();
    let broken = 0;
    other.behave(async (request, response) => {
      await wholeOf(request);
      if (request.method === 'POST' || broken++ === 0) response.destroy();
      else response.end('[]');
    });
    expect((await ask(target(), NOTES)).status).toBe(200);
    let writes = 0;
    other.behave(async (request, response) => {
      await wholeOf(request);
      writes++;
      response.destroy();
    });
    const answer = await ask(target(), NOTES, { method: 'POST', body: '{}' });
    expect(answer).toMatchObject({ status: 502, json: { code: 'GW206' } });
    expect(writes).toBe(1);
  });

  test('an answer that breaks off is cut off, not ended', async () => {
    const other = await anotherInstallation();
    other.behave((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/plain' });
      response.write('half');
      setTimeout(() => response.destroy(), 50);
    });
    await expect(ask(target(), NOTES)).rejects.toThrow();
    expect(outcomes().at(-1)).toBe('broken');
  });

  test('no answer in time: 504; more at once than may be: 429; and all of them are counted', async () => {
    const other = await anotherInstallation();
    other.behave(() => undefined);
    const asking = Array.from({ length: MAX_REQUESTS + 1 }, () => ask(target(), NOTES));
    const answers = await Promise.all(asking);
    expect(answers.map(({ status }) => status).sort()).toEqual([429, 504, 504, 504]);
    expect(answers.find(({ status }) => status === 429)).toMatchObject({ json: { code: 'GW301' } });
    const text = await edge.services.metrics.render();
    expect(text).toMatch(/cascata_forwarded_requests 0\b/);
    expect(text).toMatch(/cascata_forwarded_requests_total\{outcome="timeout"\} 3\b/);
    expect(text).toMatch(/cascata_forwarded_requests_total\{outcome="loop"\} 1\b/);
  });

  test('a body beyond the limit is refused, whether its length is told or not', async () => {
    const other = await anotherInstallation();
    const told = await ask(target(), NOTES, { method: 'POST', body: 'x'.repeat(200_001) });
    expect(told).toMatchObject({ status: 413, json: { code: 'GW302' } });
    const untold = await ask(target(), NOTES, {
      method: 'POST',
      headers: { 'transfer-encoding': 'chunked' },
      body: 'x'.repeat(200_001),
    });
    expect(untold).toMatchObject({ status: 413, json: { code: 'GW302' } });
    expect(other.arrived).toEqual([]);
  });
});

test('a certificate has to be good for the other installation’s own name, and signed by whom the operator trusts', async () => {
  const authority = createAuthority('test authority');
  const good = await anotherInstallation(authority.issue(['localhost']));
  const wrongName = await anotherInstallation(authority.issue([HOST]));
  const untrusted = { status: 503, json: { code: 'GW205' } };

  await forwardTo(`https://localhost:${good.port}`);
  expect(await ask(target(), NOTES)).toMatchObject(untrusted);
  await forwardTo(`https://localhost:${wrongName.port}`, authority.certificate);
  expect(await ask(target(), NOTES)).toMatchObject(untrusted);
  expect([...good.arrived, ...wrongName.arrived]).toEqual([]);

  await forwardTo(`https://localhost:${good.port}`, authority.certificate);
  const before = good.connections();
  expect((await ask(target(), NOTES)).status).toBe(200);
  expect((await ask({ url: edge.url, host: 'app.acme.example.com' }, NOTES)).status).toBe(200);
  expect(good.arrived.map(({ headers }) => headers.host)).toEqual([HOST, 'app.acme.example.com']);
  expect(good.connections() - before, 'one connection serves all hosts').toBe(1);
});

test('once forwarding ends, the tenant is what the registry says', async () => {
  await anotherInstallation();
  expect((await ask(target(), NOTES)).text).toBe('[]');
  await atHome();
  expect(
    (await ask(target(), `${NOTES}?select=id&id=eq.1`, { headers: { apikey: edge.acme.secret } })).json,
  ).toEqual([{ id: 1 }]);
});
