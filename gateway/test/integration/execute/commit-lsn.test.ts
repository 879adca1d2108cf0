import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { runTransaction } from '../../../execute/run-transaction.ts';
import { parseLsn } from '../../../routing/lsn.ts';
import { startPostgresProxy } from './postgres-proxy.ts';
import { aRequest, type Bench, firstFields, makeBench, openPools, upstreamAt } from './support.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.drop());
afterEach(() =>
  bench.admin(`TRUNCATE app.items; GRANT EXECUTE ON FUNCTION pg_current_wal_insert_lsn() TO PUBLIC`),
);

const insert = (id: number) =>
  aRequest(bench.writer, [`INSERT INTO app.items VALUES (${id}) RETURNING id::text`]);
const WISHES = { wantsCommitLsn: true };

it('a place in the log past the commit comes with the results, in one round trip', async () => {
  const proxy = await startPostgresProxy(bench.url);
  await using opened = openPools();
  const upstream = upstreamAt(proxy.url);
  const first = await runTransaction(opened.pools, upstream, insert(101), WISHES);
  const { writes } = proxy;
  const second = await runTransaction(opened.pools, upstream, insert(102), WISHES);
  expect(proxy.writes - writes).toBe(1);
  expect(second.results).toEqual([{ rows: [['102']], commandTag: 'INSERT 0 1' }]);
  expect(parseLsn(second.commitLsn!)).toBeGreaterThan(parseLsn(first.commitLsn!)!);
  await proxy.close();
});

it('what cannot tell its place has committed all the same, once, and its connection goes on', async () => {
  await bench.admin('REVOKE EXECUTE ON FUNCTION pg_current_wal_insert_lsn() FROM PUBLIC');
  await using opened = openPools();
  const upstream = upstreamAt(bench.url);
  const answer = await runTransaction(opened.pools, upstream, insert(3), WISHES);
  expect(answer).toEqual({ results: [{ rows: [['3']], commandTag: 'INSERT 0 1' }], commitLsn: undefined });
  const count = aRequest(bench.reader, ['SELECT count(*)::text FROM app.items']);
  expect(await firstFields(opened.pools, upstream, count)).toEqual(['1']);
  expect(opened.pools.stats()[0]).toMatchObject({ size: 1, idle: 1 });
});

it('an error before the commit and one at it are told as ever, and nothing is kept', async () => {
  await using opened = openPools();
  const upstream = upstreamAt(bench.url);
  const orphan = aRequest(bench.writer, ['INSERT INTO app.items VALUES (4, NULL, 999)']);
  await expect(runTransaction(opened.pools, upstream, orphan, WISHES)).rejects.toMatchObject({
    code: '23503',
  });
  const wrong = aRequest(bench.writer, ['INSERT INTO app.items VALUES (5)', 'SELECT 1/0']);
  await expect(runTransaction(opened.pools, upstream, wrong, WISHES)).rejects.toMatchObject({
    code: '22012',
  });
  const count = aRequest(bench.reader, ['SELECT count(*)::text FROM app.items']);
  expect(await firstFields(opened.pools, upstream, count)).toEqual(['0']);
});

it('a transaction that is rolled back has no place', async () => {
  await using opened = openPools();
  const request = { ...insert(6), end: 'rollback' } as const;
  const answer = await runTransaction(opened.pools, upstreamAt(bench.url), request, WISHES);
  expect(answer.commitLsn).toBeUndefined();
});
