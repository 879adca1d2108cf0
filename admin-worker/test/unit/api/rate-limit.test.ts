import { expect, test } from 'vitest';
import { FailureLimit } from '../../../api/rate-limit.ts';

test('an address is refused after too many failures until its window ends, and others are not', () => {
  let now = 1_000;
  const limit = new FailureLimit({ maxFailures: 2, windowMs: 60_000, now: () => now });
  expect([limit.fail('a'), limit.fail('a')]).toEqual([undefined, undefined]);
  now += 10_000;
  expect(limit.fail('a')).toBe(50);
  expect(limit.fail('b')).toBeUndefined();
  now += 50_000;
  expect(limit.fail('a')).toBeUndefined();
});
