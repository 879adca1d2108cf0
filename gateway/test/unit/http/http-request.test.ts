import { expect, test } from 'vitest';
import { splitUrl } from '../../../http/http-request.ts';
import { RequestIds } from '../../../http/request-id.ts';

test.each([
  ['http://a/', '/', ''],
  ['http://a', '/', ''],
  ['http://a?x=1', '/', 'x=1'],
  ['https://a.b:80/rest/v1/films?x=eq./a?b', '/rest/v1/films', 'x=eq./a?b'],
  ['http://a/rest/v1/%66ilms?', '/rest/v1/%66ilms', ''],
])('%s is split as it was sent', (url, path, rawQuery) => {
  expect(splitUrl(url)).toEqual({ path, rawQuery });
});

test('an id from outside is kept when it can go into a log', () => {
  const ids = new RequestIds();
  expect(ids.of('abc-123:DEF.4')).toBe('abc-123:DEF.4');
  for (const header of [undefined, '', 'short', 'a b c d e f g', 'x'.repeat(129), 'a"bcdefgh']) {
    expect(ids.of(header)).toMatch(/^[0-9a-f]{32}$/);
  }
});

test('no two ids are alike, however many are asked for', () => {
  const ids = new RequestIds();
  const seen = new Set(Array.from({ length: 2_000 }, () => ids.next()));
  expect(seen.size).toBe(2_000);
});
