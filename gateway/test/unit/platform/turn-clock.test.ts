import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TurnClock } from '../../../platform/turn-clock.ts';

test('the clock behind it is looked at once a turn, and only when somebody asks', async () => {
  let reads = 0;
  const { now } = new TurnClock(() => ++reads);
  await nextTurn();
  expect(reads).toBe(0);
  expect([now(), now()]).toEqual([1, 1]);
  await Promise.resolve();
  expect(now()).toBe(1);
  await nextTurn();
  expect([now(), now()]).toEqual([2, 2]);
});

test('by default it is the time of day', () => {
  const before = Date.now();
  const now = new TurnClock().now();
  expect(now).toBeGreaterThanOrEqual(before);
  expect(now).toBeLessThanOrEqual(Date.now());
});
