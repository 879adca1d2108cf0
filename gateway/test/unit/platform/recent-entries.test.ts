import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentEntries } from '../../../platform/recent-entries.ts';

function entriesOf(maxEntries: number) {
  let bytes = 0;
  const entries = new RecentEntries<string, string>({
    maxEntries,
    weigh: (key, value) => key.length + value.length,
    onWeight: (added) => {
      bytes += added;
    },
  });
  return { entries, weight: () => bytes };
}

test('what is asked for again and again outlives any number of entries that are not', () => {
  const { entries } = entriesOf(10);
  entries.set('hot', 'x');
  for (let i = 0; i < 1_000; i++) {
    entries.set(`cold ${i}`, 'y');
    expect(entries.get('hot')).toBe('x');
  }
  expect(entries.get('cold 0')).toBeUndefined();
});

test('there are never more entries than there may be, and no weight is left of those that went', () => {
  const operation = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 30 }));
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
      const { entries, weight } = entriesOf(8);
      for (const [isSet, n] of operations) {
        if (isSet) entries.set(`k${n}`, 'abc');
        else expect(entries.get(`k${n}`) ?? 'abc').toBe('abc');
        expect(entries.size).toBeLessThanOrEqual(8);
        expect(weight()).toBeGreaterThanOrEqual(0);
      }
      for (let i = 0; i < 100; i++) entries.set(`later ${i}`, '');
      // Eight empty values at most, and their keys.
      expect(weight()).toBeLessThanOrEqual(8 * 'later 99'.length);
    }),
  );
});
