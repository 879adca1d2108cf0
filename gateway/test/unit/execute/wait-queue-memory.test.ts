import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { Abortable } from '../../../execute/abortable.ts';
import type { Connection } from '../../../execute/connection.ts';
import { RunningTransactions } from '../../../execute/running-transactions.ts';
import { WaitQueue } from '../../../execute/wait-queue.ts';

const REQUESTS = 20_000;
const AT_ONCE = 30;
const REQUEST_BYTES = 1_000;

/** Stands for all that hangs on a request. */
function aRequest(): Abortable & { readonly body: readonly number[] } {
  return { aborted: false, body: new Array<number>(REQUEST_BYTES / 8).fill(0.5) };
}

/** Bytes that are in use more than before when many requests have come and gone and only young objects were collected, as a busy process does most of the time. */
function growth(oneMore: () => void): number {
  setFlagsFromString('--expose-gc');
  const collect: (options: { readonly type: 'minor' }) => void = runInNewContext('gc');
  const used = () => {
    collect({ type: 'minor' });
    return getHeapStatistics().used_heap_size;
  };
  for (let i = 0; i < AT_ONCE; i++) oneMore();
  // What is there now becomes old, and is not looked at any more.
  for (let i = 0; i < 3; i++) collect({ type: 'minor' });
  const before = used();
  for (let i = 1; i <= REQUESTS; i++) {
    oneMore();
    if (i % 500 === 0) collect({ type: 'minor' });
  }
  return used() - before;
}

test('requests that have waited are not kept in memory by those that came after them', () => {
  const queue = new WaitQueue();
  const grown = growth(() => {
    queue.add({ owner: 'acme', give: () => {}, fail: () => {}, untilMs: 0, signal: aRequest() }, false);
    if (queue.size > AT_ONCE) queue.take(() => true, 0);
  });
  expect(grown).toBeLessThan((REQUESTS * REQUEST_BYTES) / 4);
});

test('requests that have run are not kept in memory by those that came after them', () => {
  const running = new RunningTransactions();
  const connection = {} as Connection;
  const underWay: ReturnType<RunningTransactions['start']>[] = [];
  const grown = growth(() => {
    underWay.push(running.start(connection, aRequest(), Number.POSITIVE_INFINITY));
    if (underWay.length > AT_ONCE) running.finish(underWay.shift()!);
  });
  for (const each of underWay) running.finish(each);
  expect(running.size).toBe(0);
  expect(grown).toBeLessThan((REQUESTS * REQUEST_BYTES) / 4);
});
