import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunOptions, runTransaction } from '../../../execute/run-transaction.ts';
import type { Upstream } from '../../../routing/upstream.ts';
import { startPostgresProxy } from './postgres-proxy.ts';
import {
  aRequest,
  type Bench,
  firstFields,
  makeBench,
  openPools,
  type TestPools,
  upstreamAt,
} from './support.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.drop());

const PID = 'SELECT pg_backend_pid()::text';
const OWN_SESSIONS = `SELECT count(*)::text FROM pg_stat_activity WHERE usename = session_user AND datname = current_database()`;

describe('the shared pool', () => {
  it('never opens more than its size, and serves every request in turn', async () => {
    await using opened = openPools({ poolSize: 3 });
    const upstream = upstreamAt(bench.url);
    const counts = await Promise.all(
      Array.from({ length: 60 }, () =>
        firstFields(
          opened.pools,
          upstream,
          aRequest(bench.reader, [`${OWN_SESSIONS}`, 'SELECT pg_sleep(0.002)']),
        ),
      ),
    );
    expect(Math.max(...counts.map(([count]) => Number(count)))).toBe(3);
    expect(opened.pools.stats()).toEqual([
      { upstream: 'shared', pooling: 'shared', size: 3, idle: 3, waiting: 0 },
    ]);
  });

  it('gives 504 PGRST003 when no connection comes free in time, and the others are served', async () => {
    await using opened = openPools({ acquireTimeoutMs: 100 });
    const upstream = upstreamAt(bench.url);
    const first = firstFields(
      opened.pools,
      upstream,
      aRequest(bench.reader, ["SELECT 'done' FROM pg_sleep(0.5)"]),
    );
    await sleep(50);
    await expect(
      runTransaction(opened.pools, upstream, aRequest(bench.reader, ['SELECT 1'])),
    ).rejects.toMatchObject({ name: 'GatewayError', code: 'PGRST003', status: 504 });
    expect(await first).toEqual(['done']);
    expect(await firstFields(opened.pools, upstream, aRequest(bench.reader, ['SELECT 2']))).toEqual(['2']);
  });

  it('closes connections that are idle for long', async () => {
    await using opened = openPools({ poolSize: 3, idleTimeoutMs: 50 });
    const upstream = upstreamAt(bench.url);
    await Promise.all(
      [1, 2, 3].map(() =>
        firstFields(opened.pools, upstream, aRequest(bench.reader, ['SELECT pg_sleep(0.05)'])),
      ),
    );
    await expect.poll(() => opened.pools.stats()[0]?.size).toBe(0);
  });

  it('replaces a connection that is past its life time', async () => {
    await using opened = openPools({ maxLifetimeMs: 1 });
    const upstream = upstreamAt(bench.url);
    const pidOf = async () =>
      (await firstFields(opened.pools, upstream, aRequest(bench.reader, [PID, 'SELECT pg_sleep(0.01)'])))[0];
    expect(await pidOf()).not.toBe(await pidOf());
  });

  it('gives a role the session that has its statements prepared, whichever was used last', async () => {
    await using opened = openPools({ poolSize: 4 });
    const upstream = upstreamAt(bench.url);
    const readers = () =>
      Promise.all(
        [1, 2, 3, 4].map(() =>
          firstFields(opened.pools, upstream, aRequest(bench.reader, ['SELECT pg_sleep(0.01)'])),
        ),
      );
    await readers();
    const pids: unknown[] = [];
    for (let i = 0; i < 5; i++) {
      pids.push(...(await firstFields(opened.pools, upstream, aRequest(bench.writer, [PID]))));
      await readers();
    }
    expect(pids).toEqual(Array(5).fill(pids[0]));
    expect(opened.pools.stats()[0]?.size).toBe(4);
  });

  it('does not make a request wait behind a slow one of its role while other sessions are at rest', async () => {
    await using opened = openPools({ poolSize: 4 });
    const upstream = upstreamAt(bench.url);
    await Promise.all(
      [1, 2, 3].map(() =>
        firstFields(opened.pools, upstream, aRequest(bench.reader, ['SELECT pg_sleep(0.02)'])),
      ),
    );
    const ended: string[] = [];
    const ask = async (name: string, query: string) => {
      await firstFields(opened.pools, upstream, aRequest(bench.writer, [query]));
      ended.push(name);
    };
    const slow = ask('slow', 'SELECT pg_sleep(1)');
    await Promise.all([ask('quick', 'SELECT 1'), ask('quick too', 'SELECT 1')]);
    await slow;
    expect(ended.at(-1)).toBe('slow');
  });

  describe('whose connections keep their sessions', () => {
    const upstreamThatKeeps = () => upstreamAt(bench.url, { keepsSession: true });
    const pidOf = async (opened: TestPools, upstream: Upstream, role: string, options: RunOptions = {}) => {
      const { results } = await runTransaction(opened.pools, upstream, aRequest(role, [PID]), options);
      return results[0]?.rows[0]?.[0];
    };
    /** As many connections as the pool has, all of which know the reader and one the writer. */
    const warmUp = async (opened: TestPools, upstream: Upstream, size: number) => {
      const pause = aRequest(bench.reader, ['SELECT pg_sleep(0.01)']);
      await Promise.all(Array.from({ length: size }, () => runTransaction(opened.pools, upstream, pause)));
      const home = await pidOf(opened, upstream, bench.writer);
      // Transactions are short again.
      for (let i = 0; i < 100; i++) await pidOf(opened, upstream, bench.reader);
      return home;
    };

    it('has a request wait a moment for the session that knows its role, while others are at rest', async () => {
      let hasWaited = false;
      // On a busy machine the first one may take too long to be waited for.
      for (let attempt = 0; attempt < 10 && !hasWaited; attempt++) {
        await using opened = openPools({ poolSize: 4 });
        const upstream = upstreamThatKeeps();
        const home = await warmUp(opened, upstream, 4);
        const pids = await Promise.all(
          ['a', 'b'].map((owner) => pidOf(opened, upstream, bench.writer, { owner })),
        );
        hasWaited = pids[0] === home && pids[1] === home;
        expect(opened.pools.stats()[0]).toMatchObject({ size: 4, idle: 4, waiting: 0 });
      }
      expect(hasWaited).toBe(true);
    });

    it('has it wait for the first session that knew the role, where few are at rest and another tenant has it', async () => {
      const owners = ['a', 'b', 'c', 'd'];
      let hasWaited = false;
      // As above.
      for (let attempt = 0; attempt < 10 && !hasWaited; attempt++) {
        await using opened = openPools({ poolSize: 4 });
        const upstream = upstreamThatKeeps();
        await warmUp(opened, upstream, 4);
        const home = await pidOf(opened, upstream, bench.reader);
        const pids = await Promise.all(
          owners.map((owner) => pidOf(opened, upstream, bench.reader, { owner })),
        );
        // With two or three of four at rest nobody waits.
        expect(new Set(pids.slice(0, 3)).size).toBe(3);
        hasWaited = pids[0] === home && pids[3] === home;
        expect(opened.pools.stats()[0]).toMatchObject({ size: 4, idle: 4, waiting: 0 });
      }
      expect(hasWaited).toBe(true);
    });

    it('has nobody wait so for a session that it uses itself', async () => {
      await using opened = openPools({ poolSize: 4 });
      const upstream = upstreamThatKeeps();
      await warmUp(opened, upstream, 4);
      const options = { owner: 'a' };
      const pids = await Promise.all([1, 2, 3, 4].map(() => pidOf(opened, upstream, bench.reader, options)));
      expect(new Set(pids).size).toBe(4);
    });

    it('gives it another session when that one is not free in time', async () => {
      await using opened = openPools({ poolSize: 4 });
      const upstream = upstreamThatKeeps();
      const home = await warmUp(opened, upstream, 4);
      const ended: string[] = [];
      const slow = runTransaction(
        opened.pools,
        upstream,
        aRequest(bench.writer, ['SELECT pg_sleep(1)']),
      ).then(() => ended.push('slow'));
      const pid = await pidOf(opened, upstream, bench.writer, { owner: 'b' });
      ended.push('quick');
      expect(pid).not.toBe(home);
      await slow;
      expect(ended).toEqual(['quick', 'slow']);
    });

    it('spreads the requests of one owner that come at once, and refuses none for a queue of that kind', async () => {
      await using opened = openPools({ poolSize: 4 });
      const upstream = upstreamThatKeeps();
      await warmUp(opened, upstream, 4);
      const options = { owner: 'hog', maxQueue: 1 };
      const request = aRequest(bench.writer, [PID, 'SELECT pg_sleep(0.2)']);
      const results = await Promise.all(
        Array.from({ length: 4 }, () => runTransaction(opened.pools, upstream, request, options)),
      );
      expect(new Set(results.map((result) => result.results[0]?.rows[0]?.[0])).size).toBe(4);
    });
  });

  it('close waits for what is running and waiting', async () => {
    const opened = openPools();
    const upstream = upstreamAt(bench.url);
    const answers = ['a', 'b'].map((name) =>
      firstFields(opened.pools, upstream, aRequest(bench.reader, [`SELECT '${name}' FROM pg_sleep(0.1)`])),
    );
    await sleep(50);
    await opened.pools.close();
    expect(await Promise.all(answers)).toEqual([['a'], ['b']]);
    expect(opened.pools.stats()[0]?.size).toBe(0);
  });
});

describe('owners of a shared pool', () => {
  const sleepFor = (name: string, seconds: number) =>
    aRequest(bench.reader, [`SELECT '${name}' FROM pg_sleep(${seconds})`]);

  it('take turns: a long queue is nobody else’s wait', async () => {
    await using opened = openPools({ poolSize: 1 });
    const upstream = upstreamAt(bench.url);
    const order: string[] = [];
    const run = async (owner: string) => {
      await runTransaction(opened.pools, upstream, sleepFor(owner, 0.01), { owner });
      order.push(owner);
    };
    const hogs = Array.from({ length: 20 }, () => run('hog'));
    await Promise.all([...hogs, run('a'), run('b'), run('a')]);
    expect(order.slice(0, 6).sort()).toEqual(['a', 'a', 'b', 'hog', 'hog', 'hog']);
  });

  it('leave connections to the others: beyond its share one waits, and another is served at once', async () => {
    await using opened = openPools({ poolSize: 4, maxTenantShare: 0.75 });
    const upstream = upstreamAt(bench.url);
    const order: string[] = [];
    const run = async (owner: string, seconds: number) => {
      await runTransaction(opened.pools, upstream, sleepFor(owner, seconds), { owner });
      order.push(owner);
    };
    const hogs = Array.from({ length: 4 }, () => run('hog', 0.5));
    await expect.poll(() => opened.pools.running.size).toBe(3);
    expect(opened.pools.stats()[0]).toMatchObject({ waiting: 1 });
    await run('a', 0);
    await run('a', 0);
    expect(order).toEqual(['a', 'a']);
    await Promise.all(hogs);
    expect(order).toHaveLength(6);
  });

  it('have a queue of a certain length, and beyond it 429', async () => {
    await using opened = openPools({ poolSize: 1 });
    const upstream = upstreamAt(bench.url);
    const options = { owner: 'hog', maxQueue: 2 };
    const runs = Array.from({ length: 4 }, () =>
      runTransaction(opened.pools, upstream, sleepFor('hog', 0.05), options),
    );
    const outcomes = await Promise.allSettled(runs);
    // The first opens the connection and waits for it, too.
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'GW301', status: 429, headers: { 'Retry-After': '1' } },
    });
  });
});

describe('an upstream that cannot be reached', () => {
  it('gives 503 PGRST000 without a word about where it is', async () => {
    await using opened = openPools();
    const upstream = upstreamAt('postgres://someone:hidden@127.0.0.1:9/nowhere');
    const error = await runTransaction(opened.pools, upstream, aRequest('x', ['SELECT 1'])).catch(
      (caught: unknown) => caught,
    );
    expect(error).toMatchObject({
      code: 'PGRST000',
      status: 503,
      message: 'Database connection error.',
      details: 'The connection was refused',
      hint: undefined,
    });
  });

  it('a refused login gives the same', async () => {
    await using opened = openPools();
    const upstream = upstreamAt(bench.url.replace(/\/\/[^:]+/, '//nobody_there'));
    await expect(runTransaction(opened.pools, upstream, aRequest('x', ['SELECT 1']))).rejects.toMatchObject({
      code: 'PGRST000',
    });
  });

  it('that comes back within a moment is reached by the same request', async () => {
    const before = await startPostgresProxy(bench.url);
    await before.close();
    await using opened = openPools();
    const answer = firstFields(
      opened.pools,
      upstreamAt(before.url),
      aRequest(bench.reader, ["SELECT 'back'"]),
    );
    await sleep(200);
    const after = await startPostgresProxy(bench.url, Number(new URL(before.url).port));
    expect(await answer).toEqual(['back']);
    await after.close();
  });
});

describe('leased pools', () => {
  const remote = (url: string, tenant: string, epoch = 1) =>
    upstreamAt(url, { name: `remote:${tenant}`, key: `remote:${tenant}@${epoch}`, pooling: 'leased' });

  it('stay under the global cap, the least recently used drained first', async () => {
    await using opened = openPools();
    for (const tenant of ['a', 'b', 'a', 'c']) {
      await firstFields(opened.pools, remote(bench.url, tenant), aRequest(bench.reader, ['SELECT 1']));
    }
    expect(opened.pools.stats().map(({ upstream }) => upstream)).toEqual(['remote:a', 'remote:c']);
    await expect
      .poll(() => opened.observations.filter(({ kind }) => kind === 'pool-closed'))
      .toEqual([{ kind: 'pool-closed', upstream: 'remote:b', reason: 'evicted' }]);
    const [sessions] = await firstFields(
      opened.pools,
      remote(bench.url, 'a'),
      aRequest(bench.reader, [OWN_SESSIONS]),
    );
    expect(sessions).toBe('2');
  });

  it('an evicted pool finishes what it runs', async () => {
    await using opened = openPools({ maxLeasedConnections: 2 });
    const slow = firstFields(
      opened.pools,
      remote(bench.url, 'a'),
      aRequest(bench.reader, ["SELECT 'done' FROM pg_sleep(0.2)"]),
    );
    await sleep(50);
    await firstFields(opened.pools, remote(bench.url, 'b'), aRequest(bench.reader, ['SELECT 1']));
    expect(opened.pools.stats().map(({ upstream }) => upstream)).toEqual(['remote:b']);
    expect(await slow).toEqual(['done']);
    await expect
      .poll(() => opened.observations.at(-1))
      .toMatchObject({ kind: 'pool-closed', upstream: 'remote:a' });
  });

  it('a moved tenant’s requests take the new place, and its old pool is dropped', async () => {
    const proxy = await startPostgresProxy(bench.url);
    await using opened = openPools();
    await firstFields(opened.pools, remote(proxy.url, 'a', 1), aRequest(bench.reader, ['SELECT 1']));
    const seen = proxy.messages.length;
    await firstFields(opened.pools, remote(bench.url, 'a', 2), aRequest(bench.reader, ['SELECT 1']));
    expect(proxy.messages.slice(seen).filter((type) => type !== 'X')).toEqual([]);
    expect(opened.pools.stats()).toHaveLength(1);
    // One that was found before the move and comes late.
    await expect(
      runTransaction(opened.pools, remote(proxy.url, 'a', 1), aRequest(bench.reader, ['SELECT 1'])),
    ).rejects.toMatchObject({ code: 'GW103', status: 503 });
    expect(proxy.messages.slice(seen).filter((type) => type !== 'X')).toEqual([]);
    expect(opened.pools.stats().map(({ size }) => size)).toEqual([1]);
    expect(opened.pools.dropTenant('a')).toBe(1);
    expect(opened.pools.stats()).toEqual([]);
    await proxy.close();
  });
});
