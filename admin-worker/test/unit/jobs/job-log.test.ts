import { expect, test } from 'vitest';
import { tidyLine } from '../../../jobs/job-log.ts';

test.each([
  ['postgres://u:p%40ss@h:5432/d?x=1', 'postgres://u:[redacted]@h:5432/d?x=1'],
  ['two: s3://a:b@c and redis://:secret@h', 'two: s3://a:[redacted]@c and redis://:[redacted]@h'],
  ['pa:ss/word: postgres://u:p/q:r@h/d', 'pa:ss/word: postgres://u:[redacted]@h/d'],
  ['http://example.com:8080/a@b', 'http://example.com:[redacted]@b'],
  ['https://example.com/a', 'https://example.com/a'],
])('%s is logged as %s', (line, expected) => {
  expect(tidyLine(line)).toBe(expected);
});

test('what a terminal or PostgreSQL would choke on is left out, and a huge line is cut', () => {
  expect(tidyLine('\u001B[31mred\u001B[0m\u0000 and\ttab')).toBe('red and\ttab');
  expect(tidyLine('x'.repeat(5_000))).toBe(`${'x'.repeat(4_000)}…`);
});
