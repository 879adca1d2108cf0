import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from './support/ask.ts';
import { type Edge, signFor, startEdge } from './support/edge.ts';

let edge: Edge;
let target: { url: string; host: string };

beforeAll(async () => {
  edge = await startEdge({ pools: { poolSize: 7, leasedPoolSize: 3 } });
  target = { url: edge.url, host: 'acme.localhost' };
  const authorization = `Bearer ${await signFor(edge.acme, { role: 'authenticated' })}`;
  for (let i = 0; i < 2; i++) await ask(target, '/rest/v1/notes', { headers: { authorization } });
  await ask(target, '/rest/v1/nothing');
});

afterAll(() => edge?.close());

describe('X3: what the process tells of itself', () => {
  test('/live answers as long as there is a process', async () => {
    expect(await ask(target, '/live')).toMatchObject({ status: 200, text: '{"status":"live"}' });
  });

  test('/ready says why not', async () => {
    expect(await ask(target, '/ready')).toMatchObject({ status: 200, text: '{"status":"ready"}' });
    edge.services.beginDrain();
    const answer = await ask(target, '/ready');
    expect(answer).toMatchObject({ status: 503, json: { status: 'not ready', reason: 'shutting down' } });
    expect(answer.headers['retry-after']).toBe('1');
  });

  test('/metrics has a row for each of PostgREST’s: pool, schema cache, queries, tokens', async () => {
    const { text, headers } = await ask(target, '/metrics');
    const rows = new Map(
      text.split('\n').map((line) => [line.replace(/ \S+$/, ''), line.replace(/^.* /, '')]),
    );
    expect(headers['content-type']).toContain('text/plain');
    // pgrst_db_pool_max, _available, _waiting, and the size, which PostgREST does not tell
    expect(rows.get('cascata_pool_max_connections')).toBe('3');
    expect(Number(rows.get('cascata_pool_connections'))).toBeGreaterThan(0);
    expect(Number(rows.get('cascata_pool_idle_connections'))).toBeGreaterThan(0);
    expect(rows.get('cascata_pool_waiting_requests')).toBe('0');
    // pgrst_db_pool_timeouts_total is cascata_request_errors_total{code="PGRST003"}
    expect(rows.get('cascata_request_errors_total{code="PGRST205"}')).toBe('1');
    // pgrst_schema_cache_loads_total, _query_time_seconds
    expect(Number(rows.get('cascata_schema_cache_loads_total{outcome="loaded"}'))).toBeGreaterThan(0);
    expect(Number(rows.get('cascata_schema_cache_load_seconds_count'))).toBeGreaterThan(0);
    expect(rows.get('cascata_schema_caches')).toBe('1');
    expect(Number(rows.get('cascata_schema_cache_bytes'))).toBeGreaterThan(4_000);
    expect(rows.get('cascata_schema_caches_by_size{le="+Inf"}')).toBe('1');
    expect(Number(rows.get('cascata_schema_cache_largest_bytes'))).toBeGreaterThan(4_000);
    expect(rows.get('cascata_cached_tenants')).toBe('1');
    expect(rows.get('cascata_stage_duration_seconds_count{stage="transaction"}')).toBe('2');
    // pgrst_jwt_cache_requests_total, _hits_total, _evictions_total
    expect(rows.get('cascata_jwt_cache_total{outcome="miss"}')).toBe('1');
    expect(rows.get('cascata_jwt_cache_total{outcome="hit"}')).toBe('1');
    expect(rows.get('cascata_jwt_cache_evictions_total')).toBe('0');
  });
});

describe('H5: the Server header', () => {
  test('is on errors too', async () => {
    const answer = await ask(target, '/rest/v1/nothing');
    expect([answer.status, answer.headers.server]).toEqual([404, 'postgrest/16.2']);
  });

  test('can be switched off', async () => {
    const quiet = await startEdge({ gateway: { serverHeader: false } });
    try {
      const there = { url: quiet.url, host: 'acme.localhost' };
      expect((await ask(there, '/rest/v1/notes')).headers.server).toBeUndefined();
      expect((await ask(there, '/rest/v1/nothing')).headers.server).toBeUndefined();
    } finally {
      await quiet.close();
    }
  });
});
