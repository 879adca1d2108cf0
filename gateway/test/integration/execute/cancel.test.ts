import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTransaction } from '../../../execute/run-transaction.ts';
import { startPostgresProxy } from './postgres-proxy.ts';
import { aRequest, type Bench, firstFields, makeBench, openPools, upstreamAt } from './support.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.drop());

const PID = 'SELECT pg_backend_pid()::text';

describe('a transaction nobody waits for', () => {
  it('is cancelled when the client goes, and its connection serves the next request', async () => {
    await using opened = openPools();
    const upstream = upstreamAt(bench.url);
    const [pid] = await firstFields(opened.pools, upstream, aRequest(bench.reader, [PID]));
    const client = new AbortController();
    const running = runTransaction(
      opened.pools,
      upstream,
      aRequest(bench.writer, ['INSERT INTO items VALUES (300)', 'SELECT pg_sleep(60)']),
      {
        signal: client.signal,
      },
    );
    await sleep(150);
    client.abort();
    await expect(running).rejects.toMatchObject({ name: 'GatewayError', code: 'GW902' });
    expect(
      await firstFields(
        opened.pools,
        upstream,
        aRequest(bench.reader, [PID, 'SELECT count(*)::text FROM items WHERE id = 300']),
      ),
    ).toEqual([pid, '0']);
  });

  it('is cancelled at its deadline', async () => {
    await using opened = openPools();
    await expect(
      runTransaction(opened.pools, upstreamAt(bench.url), aRequest(bench.reader, ['SELECT pg_sleep(60)']), {
        deadlineMs: Date.now() + 100,
      }),
    ).rejects.toMatchObject({ code: 'GW202', status: 504 });
  });

  it('is cancelled alone: requests that take over its connection, even just as the cancel arrives, succeed', async () => {
    await using opened = openPools({ poolSize: 6 });
    const upstream = upstreamAt(bench.url);
    const survivors: Promise<unknown>[] = [];
    const victims: Promise<unknown>[] = [];
    for (let i = 0; i < 60; i++) {
      const client = new AbortController();
      client.abort();
      const signal = new Proxy(client.signal, {
        // Looks alive while the request takes its connection, gone at the next look.
        get: (target, name) => (name === 'aborted' ? looks++ > 0 : Reflect.get(target, name, target)),
      });
      let looks = 0;
      // Around the tick of the watch, so that some cancels come as the statement ends.
      const request = aRequest(bench.reader, [`SELECT pg_sleep(${0.09 + (i % 6) * 0.004})`]);
      victims.push(
        runTransaction(opened.pools, upstream, request, { signal }).catch((error: unknown) => error),
      );
      for (let j = 0; j < 3; j++) {
        survivors.push(
          firstFields(
            opened.pools,
            upstream,
            aRequest(bench.reader, ["SELECT 'alive' FROM pg_sleep(0.001)"]),
          ),
        );
      }
      await sleep(10);
    }
    const stopped = (await Promise.all(victims)).filter((outcome) => outcome instanceof Error);
    expect(stopped.length).toBeGreaterThan(0);
    expect(stopped).toEqual(stopped.map(() => expect.objectContaining({ code: 'GW902' })));
    expect(await Promise.all(survivors)).toEqual(survivors.map(() => ['alive']));
  });

  it('leaves the queue without a connection when its client goes while it waits', async () => {
    await using opened = openPools();
    const upstream = upstreamAt(bench.url);
    const first = firstFields(
      opened.pools,
      upstream,
      aRequest(bench.reader, ["SELECT 'done' FROM pg_sleep(0.3)"]),
    );
    await sleep(50);
    const client = new AbortController();
    const waiting = runTransaction(opened.pools, upstream, aRequest(bench.reader, [PID]), {
      signal: client.signal,
    });
    client.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'GW902' });
    expect(opened.pools.stats()[0]?.waiting).toBe(0);
    expect(await first).toEqual(['done']);
  });
});

describe('a statement that takes too long', () => {
  it('ends by statement_timeout with 57014, and the connection is kept', async () => {
    await using opened = openPools();
    const upstream = upstreamAt(bench.url);
    const [pid] = await firstFields(opened.pools, upstream, aRequest(bench.reader, [PID]));
    await expect(
      runTransaction(
        opened.pools,
        upstream,
        aRequest(bench.reader, ['SELECT pg_sleep(60)'], { statementTimeoutMs: 50 }),
      ),
    ).rejects.toMatchObject({ code: '57014' });
    expect(await firstFields(opened.pools, upstream, aRequest(bench.reader, [PID]))).toEqual([pid]);
  });
});

describe('a connection that breaks', () => {
  it('midway fails its request with PGRST001 without an address, and is replaced', async () => {
    const proxy = await startPostgresProxy(bench.url);
    await using opened = openPools();
    const upstream = upstreamAt(proxy.url);
    const running = runTransaction(opened.pools, upstream, aRequest(bench.reader, ['SELECT pg_sleep(60)']));
    running.catch(() => {});
    await sleep(150);
    proxy.cut();
    await expect(running).rejects.toMatchObject({ code: 'PGRST001', status: 503, details: undefined });
    expect(await firstFields(opened.pools, upstream, aRequest(bench.reader, ['SELECT 1']))).toEqual(['1']);
    expect(opened.pools.stats()[0]).toMatchObject({ size: 1, idle: 1 });
    await proxy.close();
  });

  it('at rest is not handed out', async () => {
    const proxy = await startPostgresProxy(bench.url);
    await using opened = openPools();
    const upstream = upstreamAt(proxy.url);
    await firstFields(opened.pools, upstream, aRequest(bench.reader, ['SELECT 1']));
    proxy.cut();
    await expect.poll(() => opened.pools.stats()[0]?.size).toBe(0);
    expect(await firstFields(opened.pools, upstream, aRequest(bench.reader, ['SELECT 1']))).toEqual(['1']);
    await proxy.close();
  });

  it('by an administrator gives 57P01 and is replaced', async () => {
    await using opened = openPools();
    const upstream = upstreamAt(bench.url);
    const [pid] = await firstFields(opened.pools, upstream, aRequest(bench.reader, [PID]));
    const running = runTransaction(opened.pools, upstream, aRequest(bench.reader, ['SELECT pg_sleep(60)']));
    running.catch(() => {});
    await sleep(50);
    await bench.admin(`SELECT pg_terminate_backend(${pid})`);
    await expect(running).rejects.toMatchObject({ code: '57P01' });
    expect(await firstFields(opened.pools, upstream, aRequest(bench.reader, ['SELECT 1']))).toEqual(['1']);
  });
});
