import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { STAGES } from '../../platform/observation.ts';
import { type Edge, signFor, startEdge } from './support/edge.ts';
import { RawConnection, type RawResponse } from './support/raw-http.ts';

let edge: Edge;
let connection: RawConnection;

beforeAll(async () => {
  edge = await startEdge({ gateway: { maxBodyBytes: 1_000_000, maxHeaderBytes: 32 * 1024 } });
});
afterAll(() => edge?.close());
beforeEach(async () => {
  connection = await RawConnection.open(edge.port);
  return () => connection.destroy();
});

const GOOD = 'GET /rest/v1/notes?id=eq.1 HTTP/1.1\r\nHost: acme.localhost\r\n\r\n';
const GOOD_BODY = '[{"id":1,"body":"first of acme"}]';

/** Sends one request and then, on the same connection, one that must be answered as if nothing had happened. */
async function exchange(...parts: (string | Buffer)[]): Promise<RawResponse> {
  for (const part of parts) await connection.send(part);
  const response = await connection.receive();
  await connection.send(GOOD);
  expect(await connection.receive()).toMatchObject({ status: 200, body: GOOD_BODY });
  return response;
}

/** Sends what ends the connection; the next request needs another one. */
async function lastExchange(...parts: (string | Buffer)[]): Promise<RawResponse> {
  for (const part of parts) await connection.send(part);
  const response = await connection.receive();
  expect(response.headers.connection).toBe('close');
  await connection.untilClosed();
  connection = await RawConnection.open(edge.port);
  await connection.send(GOOD);
  expect(await connection.receive()).toMatchObject({ status: 200, body: GOOD_BODY });
  return response;
}

function errorOf({ status, headers, body }: RawResponse) {
  const json: unknown = JSON.parse(body);
  return { status, type: headers['content-type'], body: json };
}

const json = 'application/json; charset=utf-8';

function get(path: string, headers: Record<string, string> = {}): string {
  return request('GET', path, headers);
}

function request(method: string, path: string, headers: Record<string, string>): string {
  const all = { Host: 'acme.localhost', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

describe('hosts', () => {
  test('each host sees its own tenant', async () => {
    const other = await exchange(get('/rest/v1/notes?select=body&id=eq.1', { Host: 'GLOBEX.localhost.:80' }));
    expect(other).toMatchObject({ status: 200, body: '[{"body":"first of globex"}]' });
    const pattern = await exchange(
      get('/rest/v1/notes?select=body&id=eq.1', { Host: 'a.b.globex.example.com' }),
    );
    expect(pattern.body).toBe('[{"body":"first of globex"}]');
  });

  test('an unknown host is GW101', async () => {
    expect(errorOf(await exchange(get('/rest/v1/notes', { Host: 'nobody.localhost' })))).toEqual({
      status: 404,
      type: json,
      body: {
        code: 'GW101',
        details: null,
        hint: null,
        message: "No project is registered for the host 'nobody.localhost'",
      },
    });
  });

  test.each(['a b', 'x/y', 'a:b:c', ''])('the host %j is malformed', async (host) => {
    expect(errorOf(await exchange(get('/rest/v1/notes', { Host: host })))).toMatchObject({
      status: 400,
      type: json,
      body: { code: 'GW108' },
    });
  });

  test('a request without a host is malformed', async () => {
    expect(errorOf(await exchange('GET /rest/v1/notes HTTP/1.1\r\n\r\n'))).toMatchObject({
      status: 400,
      body: { code: 'GW108' },
    });
  });

  test('a target that names its host is for that host', async () => {
    const response = await exchange(get('http://globex.localhost/rest/v1/notes?select=body&id=eq.1'));
    expect(response.body).toBe('[{"body":"first of globex"}]');
  });

  test('a forwarded host from nobody in particular is not believed', async () => {
    const response = await exchange(
      get('/rest/v1/notes?id=eq.1', { 'X-Forwarded-Host': 'globex.localhost' }),
    );
    expect(response.body).toBe(GOOD_BODY);
  });
});

describe('URLs', () => {
  test.each([
    ['/rest/v1/notes?id=eq.%zz', 400],
    ['/rest/v1/%ff', 404],
    ['/rest/v1/a/b/c', 404],
    ['/rest/v1\\notes', 400],
    ['/rest/v1/notes?id=eq.1%3BDROP+TABLE+notes', 400],
    ['/%72est/v1/notes', 404],
    ['/rest/v1/%2e%2e/notes', 404],
    ['/', 404],
    ['/rest/v2/notes', 404],
    ['*', 400],
  ])('%s is answered with %i and a JSON body', async (path, status) => {
    const answer = errorOf(await exchange(get(path)));
    expect(answer).toMatchObject({ status, type: json, body: { code: expect.any(String) } });
    expect(Object.keys(Object(answer.body))).toEqual(['code', 'details', 'hint', 'message']);
  });

  test('what is no HTTP at all is refused and the connection closed', async () => {
    for (const text of ['nonsense\r\n\r\n', 'GET /\x01 HTTP/1.1\r\n\r\n', '\x16\x03\x01\x02\x00\x01']) {
      expect(errorOf(await lastExchange(text))).toMatchObject({
        status: 400,
        type: json,
        body: { code: 'GW108' },
      });
    }
  });

  test('an unknown path is GW107', async () => {
    expect(errorOf(await exchange(get('/storage/v1/bucket')))).toMatchObject({
      status: 404,
      body: { code: 'GW107' },
    });
  });
});

describe('sizes', () => {
  test('ten megabytes of header are refused', async () => {
    const huge = `X-Huge: ${'x'.repeat(10_000_000)}\r\n\r\n`;
    expect(
      errorOf(await lastExchange('GET /rest/v1/notes HTTP/1.1\r\nHost: acme.localhost\r\n', huge)),
    ).toEqual({
      status: 431,
      type: json,
      body: { code: 'GW303', details: null, hint: null, message: 'Request header fields too large' },
    });
  });

  test('a hundred megabytes of body are refused when announced, and thrown away', async () => {
    const block = Buffer.alloc(1_000_000, 'x');
    const size = 100 * block.length;
    await connection.send(request('POST', '/rest/v1/notes', { 'Content-Length': String(size) }));
    const response = await connection.receive();
    expect(errorOf(response)).toMatchObject({ status: 413, type: json, body: { code: 'GW302' } });
    for (let sent = 0; sent < size; sent += block.length) await connection.send(block);
    await connection.send(GOOD);
    expect(await connection.receive()).toMatchObject({ status: 200, body: GOOD_BODY });
  });

  test('a body that grows too large unannounced is refused while it comes', async () => {
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const response = await exchange(
      request('POST', '/rest/v1/notes', { 'Transfer-Encoding': 'chunked' }),
      chunk.repeat(40),
      '0\r\n\r\n',
    );
    expect(errorOf(response)).toMatchObject({ status: 413, body: { code: 'GW302' } });
  });

  test('a client that waits to go on is told to, unless its body is too large', async () => {
    const headers = { Expect: '100-continue', 'Content-Type': 'application/json' };
    const body = '{"id":77,"body":"x"}';
    await connection.send(
      request('POST', '/rest/v1/notes', { ...headers, 'Content-Length': `${body.length}` }),
    );
    expect(await connection.receive()).toMatchObject({ status: 100 });
    await connection.send(body);
    expect(await connection.receive()).toMatchObject({ status: 201 });
    await connection.send(request('POST', '/rest/v1/notes', { ...headers, 'Content-Length': '2000000' }));
    expect(await connection.receive()).toMatchObject({ status: 413 });
  });

  test('a body nobody wanted does not disturb the next request', async () => {
    const refused = request('POST', '/rest/v1/notes', {
      Host: 'nobody.localhost',
      'Content-Length': '500000',
    });
    expect(await exchange(refused, 'x'.repeat(500_000))).toMatchObject({ status: 404 });
    const onGet = get('/rest/v1/notes?id=eq.1', { 'Content-Length': '5' });
    expect(await exchange(onGet, 'hello')).toMatchObject({ status: 200, body: GOOD_BODY });
  });
});

describe('tokens', () => {
  const unsigned = (claims: object) =>
    [{ alg: 'none' }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');

  test.each([
    [
      'unsigned',
      async () => `${unsigned({ role: 'service_role' })}.`,
      'Wrong or unsupported encoding algorithm',
      'PGRST301',
    ],
    ['expired', () => signFor(edge.acme, { role: 'authenticated', exp: 1 }), 'JWT expired', 'PGRST303'],
    [
      "another tenant's",
      () => signFor(edge.globex, { role: 'service_role' }),
      'No suitable key or wrong key type',
      'PGRST301',
    ],
    ['broken', async () => 'x.y', 'Expected 3 parts in JWT; got 2', 'PGRST301'],
  ])('a token that is %s is refused', async (_name, token, message, code) => {
    const response = await exchange(get('/rest/v1/notes', { Authorization: `Bearer ${await token()}` }));
    expect(errorOf(response)).toMatchObject({ status: 401, type: json, body: { code, message } });
    expect(response.headers['www-authenticate']).toBe(
      `Bearer error="invalid_token", error_description="${message}"`,
    );
  });

  test('the role and the claims reach the database', async () => {
    const token = await signFor(edge.acme, { role: 'authenticated', sub: 'u1' });
    const response = await exchange(get('/rest/v1/rpc/whoami', { Authorization: `Bearer ${token}` }));
    expect(JSON.parse(response.body)).toEqual({
      role: 'edge_acme_authenticated',
      claims: { role: 'authenticated', sub: 'u1' },
    });
  });

  test('a key stands for its role, in the header and in the query', async () => {
    const asHeader = await exchange(get('/rest/v1/rpc/whoami', { apikey: edge.acme.secret }));
    expect(JSON.parse(asHeader.body)).toMatchObject({ role: 'edge_acme_service_role' });
    const asParameter = await exchange(get(`/rest/v1/rpc/whoami?apikey=${edge.acme.publishable}`));
    expect(JSON.parse(asParameter.body)).toMatchObject({ role: 'edge_acme_anon' });
  });

  test("a wrong key and another tenant's are refused", async () => {
    for (const apikey of ['sb_secret_wrong', edge.globex.secret]) {
      const response = await exchange(get('/rest/v1/notes', { apikey, Authorization: `Bearer ${apikey}` }));
      expect(errorOf(response)).toMatchObject({ status: 401, body: { code: 'GW105' } });
    }
  });

  test('what is forbidden is 401 to nobody and 403 to somebody', async () => {
    const anonymous = await exchange(get('/rest/v1/secrets'));
    expect(errorOf(anonymous)).toMatchObject({ status: 401, body: { code: '42501' } });
    const token = await signFor(edge.acme, { role: 'authenticated' });
    const known = await exchange(get('/rest/v1/secrets', { Authorization: `Bearer ${token}` }));
    expect(errorOf(known)).toMatchObject({ status: 403, body: { code: '42501' } });
  });
});

describe('bodies', () => {
  test.each([
    ['no JSON', '{"id":', 400, 'PGRST102'],
    ['a wrong type', '{"id":"x","body":"y"}', 400, '22P02'],
    ['an unknown column', '{"id":9,"nope":1}', 400, 'PGRST204'],
    ['a missing value', '{"id":9}', 400, '23502'],
    ['SQL', '{"id":9,"body":"\'); DROP TABLE notes; --","x\\"; DROP TABLE notes; --":1}', 400, 'PGRST204'],
  ])('%s is refused: %s', async (_name, body, status, code) => {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) };
    const response = await exchange(request('POST', '/rest/v1/notes', headers), body);
    expect(errorOf(response)).toMatchObject({ status, body: { code } });
  });

  test('HEAD has the headers and no body, also of an error', async () => {
    const found = await exchange(request('HEAD', '/rest/v1/notes', {}));
    expect(found).toMatchObject({ status: 200, body: '', headers: { 'content-type': json } });
    expect(found.headers).not.toHaveProperty('content-length');
    const missing = await exchange(request('HEAD', '/rest/v1/nothing', {}));
    expect(missing).toMatchObject({ status: 404, body: '' });
    expect(missing.headers['proxy-status']).toBe('PostgREST; error=PGRST205');
  });
});

describe('CORS', () => {
  const preflight = { Origin: 'https://app.example.com', 'Access-Control-Request-Method': 'POST' };

  test.each(['acme.localhost', 'nobody.localhost'])('a preflight for %s says the same', async (Host) => {
    const asked = { ...preflight, Host, 'Access-Control-Request-Headers': 'apikey,x-retry-count' };
    const response = await exchange(request('OPTIONS', '/rest/v1/whatever', asked));
    expect(response).toMatchObject({
      status: 200,
      body: '',
      headers: {
        'access-control-allow-origin': '*',
        'access-control-allow-headers':
          'Authorization, apikey, x-retry-count, Accept, Accept-Language, Content-Language',
        'access-control-allow-methods': 'GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD',
        'access-control-max-age': '86400',
        'content-length': '0',
      },
    });
  });

  test('answers good and bad can be read by a page', async () => {
    const { Origin } = preflight;
    for (const path of ['/rest/v1/notes', '/rest/v1/nothing', '/nowhere']) {
      const { headers } = await exchange(get(path, { Origin }));
      expect(headers['access-control-allow-origin']).toBe('*');
      expect(headers['access-control-expose-headers']).toContain('Content-Range');
    }
  });

  test('OPTIONS that is no preflight is a request of the API', async () => {
    const response = await exchange(request('OPTIONS', '/rest/v1/notes', {}));
    expect(response).toMatchObject({
      status: 200,
      headers: { allow: 'OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE' },
    });
  });

  test('a tenant may name its origins', async () => {
    await edge.control(
      `UPDATE control.tenants SET postgrest = postgrest || '{"server-cors-allowed-origins": "https://app.example.com"}' WHERE id = 'globex'`,
    );
    const Host = 'globex.localhost';
    await expect
      .poll(
        async () =>
          (await exchange(get('/rest/v1/notes', { Host, Origin: 'https://app.example.com' }))).headers,
      )
      .toMatchObject({
        'access-control-allow-origin': 'https://app.example.com',
        'access-control-allow-credentials': 'true',
      });
    const other = await exchange(get('/rest/v1/notes', { Host, Origin: 'https://evil.example.com' }));
    expect(other.status).toBe(200);
    expect(other.headers).not.toHaveProperty('access-control-allow-origin');
  });
});

describe('the log', () => {
  test('a refused request is one line that holds no token, key, query value or body', async () => {
    const before = edge.observations.length;
    const token = await signFor(edge.globex, { role: 'service_role' });
    await exchange(
      get('/rest/v1/notes?body=eq.private-value&apikey=sb_secret_wrong', {
        Authorization: `Bearer ${token}`,
        'X-Request-Id': 'request-of-this-test',
      }),
    );
    const lines = edge.observations
      .slice(before)
      .filter(({ kind }) => kind !== 'tenant-cache' && kind !== 'jwt-cache');
    expect(lines[0]).toEqual({
      kind: 'request-finished',
      requestId: 'request-of-this-test',
      tenantId: 'acme',
      method: 'GET',
      route: '/rest/v1/:relation',
      status: 401,
      errorCode: 'PGRST301',
      upstream: undefined,
      rows: undefined,
      durationMs: expect.any(Number),
      stages: expect.any(Array),
    });
    expect(lines).toHaveLength(2);
    expect(JSON.stringify(lines)).not.toMatch(/private-value|sb_secret|eyJ/);
  });

  test('a served request tells its upstream, rows and stages', async () => {
    await exchange(get('/rest/v1/rpc/whoami', { 'X-Request-Id': 'request-that-is-served' }));
    expect(edge.observations).toContainEqual(
      expect.objectContaining({
        requestId: 'request-that-is-served',
        route: '/rest/v1/rpc/:function',
        upstream: 'remote:acme',
        rows: 1,
        stages: STAGES.map((stage) =>
          stage === 'body' || stage === 'cache' ? Number.NaN : expect.any(Number),
        ),
      }),
    );
  });
});

describe('endpoints of the process', () => {
  test('it is live, ready and measured', async () => {
    expect(await exchange(get('/live'))).toMatchObject({ status: 200, body: '{"status":"live"}' });
    expect(await exchange(get('/ready'))).toMatchObject({ status: 200, body: '{"status":"ready"}' });
    expect((await exchange(get('/metrics'))).body).toContain('cascata_requests_total');
  });
});

test('a client that goes away has its statement cancelled', async () => {
  await connection.send(get('/rest/v1/rpc/slow?seconds=30', { 'X-Request-Id': 'request-cut-short' }));
  await expect.poll(() => edge.services.metrics.render()).toContain('cascata_transactions_in_flight 1');
  connection.destroy();
  await expect
    .poll(() => edge.observations, { timeout: 10_000 })
    .toContainEqual(expect.objectContaining({ requestId: 'request-cut-short', errorCode: 'GW902' }));
});
