import { expect, test } from 'vitest';
import type { Connection } from '../../../execute/connection.ts';
import { type Waiter, WaitQueue } from '../../../execute/wait-queue.ts';

function aWaiter(owner: string): Waiter {
  return { owner, give: () => {}, fail: () => {}, untilMs: 0, signal: undefined };
}

const everybody = () => true;
/** Only who it is counts. */
const aSession = (): Connection => Object.create(null);

function served(queue: WaitQueue, isServed: (owner: string) => boolean = everybody): string[] {
  const owners: string[] = [];
  for (let waiter = queue.take(isServed, 0); waiter !== undefined; waiter = queue.take(isServed, 0)) {
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

test('among those in turn, one who knows the session that has become free goes first, and nobody is passed over for long', () => {
  const queue = new WaitQueue();
  const [known, other] = [aSession(), aSession()];
  const add = (owner: string, sessions: readonly Connection[]) =>
    queue.add({ ...aWaiter(owner), sessions }, false);
  add('a', [other]);
  add('b', [known, other]);
  const owners: (string | undefined)[] = [];
  for (let i = 0; i < 18; i++) {
    owners.push(queue.take(everybody, 0, known)?.owner);
    add('b', [known]);
  }
  expect(owners).toEqual([...new Array(16).fill('b'), 'a', 'b']);
});

test('who waits for a session of its own has that or, when its patience is over, any in its turn', () => {
  const queue = new WaitQueue();
  const [own, other] = [aSession(), aSession()];
  const patient = { sessions: [own], patientUntilMs: 10 };
  for (const owner of ['a', 'c']) queue.add({ ...aWaiter(owner), ...patient }, false);
  queue.add(aWaiter('b'), false);
  expect(queue.patientUntilMs()).toBe(10);
  expect(queue.take(everybody, 9, other)?.owner).toBe('b');
  expect(queue.take(everybody, 9, other)).toBeUndefined();
  expect(queue.take(everybody, 9)).toBeUndefined();
  expect(queue.take(everybody, 9, own)?.owner).toBe('a');
  expect(queue.take(everybody, 10, other)?.owner).toBe('c');
  expect(queue.patientUntilMs()).toBeUndefined();
});

test('of one owner’s requests only one waits for a session', () => {
  const queue = new WaitQueue();
  const patient = { sessions: [aSession()], patientUntilMs: 10 };
  for (let i = 0; i < 3; i++) queue.add({ ...aWaiter('a'), ...patient }, false);
  expect(served(queue)).toEqual(['a', 'a']);
  expect(queue.size).toBe(1);
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
  expect([queue.remove(gone), queue.remove(gone), queue.size, queue.take(everybody, 0)]).toEqual([
    true,
    false,
    0,
    undefined,
  ]);
});
