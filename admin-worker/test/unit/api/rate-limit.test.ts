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

test('all addresses of one IPv6 network count as one, and IPv4 addresses each by itself', () => {
  const limit = new FailureLimit({ maxFailures: 1, windowMs: 60_000, now: () => 0 });
  expect(limit.fail('2001:db8:1:2::1')).toBeUndefined();
  expect(limit.fail('2001:db8:1:2:ffff::7')).toBe(60);
  expect(limit.fail('2001:db8:1:3::1')).toBeUndefined();
  expect(limit.fail('2001:db8::1')).toBeUndefined();
  expect(limit.fail('2001:db8::')).toBe(60);
  expect(limit.fail('::ffff:10.0.0.1')).toBeUndefined();
  expect(limit.fail('::ffff:10.0.0.2')).toBeUndefined();
});
