import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  bodyBesideHeaders,
  headerLines,
  headerText,
  headerTextOrSpaces,
  isHeaderName,
  overrideHeaders,
} from '../../../errors/header-text.ts';

test('text beyond ASCII travels as its UTF-8 bytes', () => {
  const text = headerText('/café ☕');
  expect(text).toBe('/cafÃ© â\u0098\u0095');
  expect(Buffer.from(text ?? '', 'latin1').toString('utf8')).toBe('/café ☕');
});

test.each(['a\rb', 'a\nb', 'a\0b', '\x7f', 'é\n'])('%j is no header value', (text) => {
  expect(headerText(text)).toBeUndefined();
});

test('whatever the text, the result is a header value', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      new Headers({ 'x-test': headerTextOrSpaces(text) });
      expect(headerText(headerTextOrSpaces(text))).toBeDefined();
    }),
  );
});

test('a header name is a token', () => {
  expect(['X-A', "a!#$%&'*+.^_`|~9"].every(isHeaderName)).toBe(true);
  expect(['', 'a b', 'a:b', 'é', 'a\n'].some(isHeaderName)).toBe(false);
});

test('headers are replaced whatever the case of their names', () => {
  expect(overrideHeaders({ 'Content-Type': 'a', Vary: 'b' }, { 'content-type': 'c' })).toEqual({
    'content-type': 'c',
    Vary: 'b',
  });
});

const bodyBeside = (body: string, headers: Record<string, string | string[]>, isOwn?: boolean) =>
  bodyBesideHeaders(body, headerLines(headers, isOwn));

test('headers are listed as Node takes them', () => {
  expect(headerLines({ A: 'a', B: ['b', 'c'] }).lines).toEqual(['A', 'a', 'B', ['b', 'c']]);
});

test('a body goes as bytes beside headers beyond ASCII, else as the text it is', () => {
  expect(bodyBeside('é', { A: 'a', B: ['b'] })).toBe('é');
  expect(bodyBeside('é', { A: 'a', B: ['b', 'Ã©'] })).toEqual(new TextEncoder().encode('é'));
});

test('of headers that nobody but the gateway has named, some need not be looked at', () => {
  const bytes = new TextEncoder().encode('é');
  expect(bodyBeside('é', { Vary: 'Ã©' }, true)).toBe('é');
  expect(bodyBeside('é', { Vary: 'Ã©' })).toEqual(bytes);
  expect(bodyBeside('é', { 'Content-Location': '/caf Ã©' }, true)).toEqual(bytes);
});
