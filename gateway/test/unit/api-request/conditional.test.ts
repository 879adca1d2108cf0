import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseConditional, parseEntityTags } from '../../../api-request/conditional.ts';
import { parse } from './support.ts';

test.each([
  ['"a"', ['a']],
  ['W/"a"', ['a']],
  [' W/"a" , "b",W/"",', ['a', 'b', '']],
  ['*', '*'],
  [' * ', '*'],
  ['a', []],
  ['"a', []],
  ['"*"', ['*']],
  ['', []],
])('If-None-Match: %s names %j', (header, tags) => {
  expect(parseEntityTags(header)).toEqual(tags);
});

test('any If-None-Match is read, and tags that are printed are read back', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }).map((given) => Buffer.from(given).toString('latin1')),
      (header) => {
        const tags = parseEntityTags(header);
        expect(tags === '*' || tags.every((tag) => !tag.includes('"'))).toBe(true);
      },
    ),
  );
  const tag = fc.string().map((text) => text.replaceAll(/["\s]/g, ''));
  fc.assert(
    fc.property(fc.array(tag), (tags) => {
      expect(parseEntityTags(tags.map((text) => `W/"${text}"`).join(', '))).toEqual(tags);
    }),
  );
});

test('20 kB of quotes are read in no time', () => {
  expect(parseEntityTags('"'.repeat(20_000))).toHaveLength(10_000);
});

test('a HEAD is tagged only when it asks to be told of a change, a write never', () => {
  expect(parseConditional('GET', undefined)).toEqual({ ifNoneMatch: undefined });
  expect(parseConditional('HEAD', undefined)).toBeUndefined();
  expect(parseConditional('HEAD', '"a"')).toEqual({ ifNoneMatch: ['a'] });
  for (const method of ['POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS']) {
    expect(parseConditional(method, '"a"')).toBeUndefined();
  }
});

test('without the setting the header says nothing', () => {
  const headers = { 'if-none-match': '"a"' };
  expect(parse({ headers }).conditional).toBeUndefined();
  expect(parse({ headers }, { cascataEtagEnabled: true }).conditional).toEqual({ ifNoneMatch: ['a'] });
});
