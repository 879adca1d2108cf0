import { expect, test } from 'vitest';
import { Patience } from '../../../execute/patience.ts';

const busySince = (takenAtMs: number) => ({ isAtRest: false, takenAtMs });

function after(durationMs: number, transactions = 200): Patience {
  const patience = new Patience();
  for (let i = 0; i < transactions; i++) patience.record(durationMs);
  return patience;
}

test('a session that was given out a moment ago is waited for, a few times as long as transactions take', () => {
  const short = after(1).waitFor([busySince(99)], 100);
  const longer = after(3).waitFor([busySince(99)], 100);
  expect(short).toBeGreaterThanOrEqual(2);
  expect(longer).toBeGreaterThan(2 * short);
  expect(longer).toBeLessThan(15);
});

test('a session that is at work for longer than usual is not waited for, unless another one is not', () => {
  const patience = after(1);
  expect(patience.waitFor([busySince(50)], 100)).toBe(0);
  expect(patience.waitFor([busySince(50), busySince(99)], 100)).toBeGreaterThan(0);
});

test('nobody waits where no session knows the role, or those that do are at rest', () => {
  const patience = after(1);
  expect(patience.waitFor([], 100)).toBe(0);
  expect(patience.waitFor([{ isAtRest: true, takenAtMs: 99 }], 100)).toBe(0);
});

test('nobody waits where transactions are long on the whole, and one long one among many is nothing', () => {
  expect(after(100).waitFor([busySince(99)], 100)).toBe(0);
  const patience = after(1);
  patience.record(3_600_000);
  expect(patience.waitFor([busySince(99)], 100)).toBeGreaterThan(0);
});
