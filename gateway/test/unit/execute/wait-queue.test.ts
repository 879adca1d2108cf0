import { expect, test } from 'vitest';
import { type Waiter, WaitQueue } from '../../../execute/wait-queue.ts';

function aWaiter(owner: string): Waiter {
  return { owner, give: () => {}, fail: () => {}, untilMs: 0, signal: undefined };
}

const everybody = () => true;

function served(queue: WaitQueue, isServed: (owner: string) => boolean = everybody): string[] {
  const owners: string[] = [];
  for (let waiter = queue.take(isServed); waiter !== undefined; waiter = queue.take(isServed)) {
    owners.push(waiter.owner);
  }
  return owners;
}

test('owners take turns, however long their queues are and whoever came first', () => {
  const queue = new WaitQueue();
  for (const owner of ['hog', 'hog', 'hog', 'hog', 'a', 'a', 'b']) queue.add(aWaiter(owner), false);
  expect(served(queue)).toEqual(['hog', 'a', 'b', 'hog', 'a', 'hog', 'hog']);
  expect(queue.size).toBe(0);
});

test('whoever has its share is passed over and keeps its place', () => {
  const queue = new WaitQueue();
  for (const owner of ['hog', 'hog', 'a']) queue.add(aWaiter(owner), false);
  expect(served(queue, (owner) => owner !== 'hog')).toEqual(['a']);
  expect([queue.size, queue.lengthOf('hog')]).toEqual([2, 2]);
  expect(queue.countServable((owner) => (owner === 'hog' ? 1 : 0))).toBe(1);
});

test('among those in turn, one that the connection suits goes first, and nobody is passed over for long', () => {
  const queue = new WaitQueue();
  const add = (owner: string, role: string) => queue.add({ ...aWaiter(owner), role }, false);
  add('a', 'a_anon');
  add('b', 'b_anon');
  const suits = (role: string) => role === 'b_anon';
  const owners: (string | undefined)[] = [];
  for (let i = 0; i < 18; i++) {
    owners.push(queue.take(everybody, suits)?.owner);
    add('b', 'b_anon');
  }
  expect(owners).toEqual([...new Array(16).fill('b'), 'a', 'b']);
});

test('the urgent come before everybody', () => {
  const queue = new WaitQueue();
  queue.add(aWaiter('a'), false);
  queue.add(aWaiter('watch'), true);
  expect(served(queue, () => false)).toEqual(['watch']);
  expect(served(queue)).toEqual(['a']);
});

test('one who has gone is neither served nor counted', () => {
  const queue = new WaitQueue();
  const gone = aWaiter('a');
  queue.add(gone, false);
  expect([queue.remove(gone), queue.remove(gone), queue.size, queue.take(everybody)]).toEqual([
    true,
    false,
    0,
    undefined,
  ]);
});
