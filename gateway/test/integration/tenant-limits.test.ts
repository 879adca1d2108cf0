import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ask } from './support/ask.ts';
import { type Edge, startEdge, untilTrue } from './support/edge.ts';
import { RawConnection } from './support/raw-http.ts';

let edge: Edge;
beforeAll(async () => {
  edge = await startEdge({ limits: { maxRows: 3 } });
});
afterAll(() => edge?.close());

const target = () => ({ url: edge.url, host: 'acme.localhost' });
const other = () => ({ url: edge.url, host: 'globex.localhost' });
const NOTES = '/rest/v1/notes?select=id';

const NONE = `max_in_flight = NULL, max_queue = NULL, max_queue_wait_ms = NULL, requests_per_second = NULL, max_header_bytes = NULL,
  max_rows = NULL, max_body_bytes = NULL, statement_timeout_ms = NULL`;

/** Sets limits and waits until the gateway goes by them. */
async function limit(columns: string): Promise<void> {
  const before = edge.observations.filter(({ kind }) => kind === 'tenant-cache').length;
  await edge.control(`UPDATE control.tenants SET ${columns} WHERE id = 'acme'`);
  await untilTrue(() =>
    edge.observations
      .filter(({ kind }) => kind === 'tenant-cache')
      .slice(before)
      .some((o) => o.kind === 'tenant-cache' && o.outcome === 'invalidated'),
  );
}

afterEach(() => limit(NONE));

const body = (code: string, message: string) => ({ code, details: null, hint: expect.any(String), message });

describe('over its limits a tenant gets 429 with Retry-After, and another tenant nothing of it', () => {
  test('requests per second', async () => {
    await limit('requests_per_second = 2');
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(target(), NOTES)));
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.length).toBeGreaterThan(0);
    for (const { status, headers, json } of refused) {
      expect([status, headers['retry-after']]).toEqual([429, '1']);
      expect(json).toEqual(
        body('GW305', 'Too many requests in a short time: this project may send 2 a second'),
      );
    }
    const others = await Promise.all(Array.from({ length: 8 }, () => ask(other(), NOTES)));
    expect(others.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
  });

  test('transactions in flight, and the queue behind them', async () => {
    await limit('max_in_flight = 1, max_queue = 1');
    const answers = await Promise.all([1, 2, 3].map(() => ask(target(), '/rest/v1/rpc/slow?seconds=0.3')));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 429]);
    const refused = answers.find(({ status }) => status === 429)!;
    expect(refused.headers['retry-after']).toBe('1');
    expect(refused.json).toEqual(
      body('GW301', 'Too many requests: this project may run 1 at once, and 1 may wait'),
    );
  });

  test('the wait in the queue', async () => {
    await limit('max_in_flight = 1, max_queue = 5, max_queue_wait_ms = 100');
    const [first, second] = await Promise.all([
      ask(target(), '/rest/v1/rpc/slow?seconds=1'),
      ask(target(), '/rest/v1/rpc/slow?seconds=1'),
    ]);
    expect([first.status, second.status].sort()).toEqual([200, 429]);
    const refused = first.status === 429 ? first : second;
    expect(refused.json).toEqual(body('GW306', 'Too many requests: this one waited too long for its turn'));
  });
});

describe('sizes', () => {
  test('a tenant’s header limit refuses with 431 what the process would take', async () => {
    await limit('max_header_bytes = 300');
    expect((await ask(target(), NOTES)).status).toBe(200);
    const answer = await ask(target(), NOTES, { headers: { 'x-long': 'x'.repeat(300) } });
    expect(answer).toMatchObject({ status: 431, json: { code: 'GW303', details: 'The limit is 300 bytes' } });
  });

  test('the size is that on the wire', async () => {
    const request = `GET ${NOTES} HTTP/1.1\r\nHost: acme.localhost\r\nX-A: 1\r\n`;
    for (const [bytes, status] of [
      [request.length, 200],
      [request.length - 1, 431],
    ] as const) {
      await limit(`max_header_bytes = ${bytes}`);
      const connection = await RawConnection.open(edge.port);
      await connection.send(`${request}\r\n`);
      expect((await connection.receive()).status).toBe(status);
      connection.destroy();
    }
  });

  test('rows are capped by the tenant’s limit, else the process’s', async () => {
    await edge.control(
      `UPDATE control.tenants SET postgrest = '{"db-anon-role": "anon", "db-max-rows": 100}'`,
    );
    const count = async () => {
      const { json } = await ask(target(), '/rest/v1/rpc/many?select=i');
      return Array.isArray(json) ? json.length : json;
    };
    await limit('max_rows = 2');
    expect(await count()).toBe(2);
    await limit('max_rows = NULL');
    expect(await count()).toBe(3);
  });
});

describe('a request’s own statement timeout', () => {
  const slow = (timeout: string) =>
    ask(target(), '/rest/v1/rpc/slow?seconds=2', { headers: { 'x-cascata-timeout-ms': timeout } });

  test('ends its statement', async () => {
    expect(await slow('50')).toMatchObject({ status: 500, json: { code: '57014' } });
  });

  test('is only ever shorter than the tenant’s', async () => {
    await limit('statement_timeout_ms = 50');
    expect(await slow('60000')).toMatchObject({ status: 500, json: { code: '57014' } });
  });

  test.each(['0', '-1', '1.5', '1s', ''])('%j is refused', async (timeout) => {
    expect(await slow(timeout)).toMatchObject({ status: 400, json: { code: 'GW108' } });
  });
});
