import { describe, expect, it } from 'vitest';
import { readInteger } from '../../../api-request/read-integer.ts';
import { errorOf, parse } from './support.ts';

const NEGATIVE = 'Limit should be greater than or equal to zero.';
const INVERTED = 'The lower boundary must be lower than or equal to the upper boundary in the Range header.';

function rangeOf(rawQuery: string, range?: string, method = 'GET') {
  return parse({ method, rawQuery, headers: range === undefined ? {} : { range } }).range;
}

describe('range of a request', () => {
  it.each([
    ['', undefined, { offset: 0, limit: undefined }],
    ['limit=5', undefined, { offset: 0, limit: 5 }],
    ['offset=5', undefined, { offset: 5, limit: undefined }],
    ['limit=5&offset=2', undefined, { offset: 2, limit: 5 }],
    ['limit=1&limit=2', undefined, { offset: 0, limit: 2 }],
    ['limit=0', undefined, { offset: 0, limit: 0 }],
    ['limit=abc', undefined, { offset: 0, limit: undefined }],
    ['limit=2&offset=abc', undefined, { offset: 0, limit: 2 }],
    ['offset=-5', undefined, { offset: 0, limit: undefined }],
    ['', '0-9', { offset: 0, limit: 10 }],
    ['', '5-', { offset: 5, limit: undefined }],
    ['limit=5', '2-9', { offset: 2, limit: 3 }],
    ['', 'items=0-9', { offset: 0, limit: undefined }],
    ['limit=0', '5-1', { offset: 0, limit: 0 }],
  ])('%j with Range %j', (query, header, range) => {
    expect(rangeOf(query, header)).toEqual(range);
  });

  it.each([
    ['limit=-1', undefined, NEGATIVE],
    ['limit=0&offset=5', undefined, NEGATIVE],
    ['limit=abc&offset=1', undefined, NEGATIVE],
    ['limit=1', '2-3', NEGATIVE],
    ['', '5-1', INVERTED],
  ])('refuses %j with Range %j', (query, header, details) => {
    expect(errorOf(() => rangeOf(query, header))).toEqual({
      code: 'PGRST103',
      message: 'Requested range not satisfiable',
      details,
    });
  });

  it('ignores the Range header but on GET', () => {
    expect(rangeOf('', '5-1', 'HEAD')).toEqual({ offset: 0, limit: undefined });
  });

  it.each(['limit=1', 'limit=0', 'offset=1'])('refuses PUT with %s', (rawQuery) => {
    expect(errorOf(() => parse({ method: 'PUT', rawQuery, body: new TextEncoder().encode('{}') })).code).toBe(
      'PGRST114',
    );
  });

  it('passes windows of embeds on unchecked', () => {
    expect(parse({ rawQuery: 'a.b.limit=2&a.b.offset=1&c.limit=-1' }).query.ranges).toEqual([
      { path: ['a', 'b'], value: { offset: 1, limit: 2 } },
      { path: ['c'], value: { offset: 0, limit: -1 } },
    ]);
  });
});

describe('readInteger', () => {
  it.each([
    ['5', 5],
    [' 5 ', 5],
    ['-5', -5],
    ['- 5', -5],
    ['(5)', 5],
    ['( ( 5 ) )', 5],
    ['0x1F', 31],
    ['-0', 0],
    ['99999999999999999999', Number.MAX_SAFE_INTEGER],
    ['', undefined],
    ['+5', undefined],
    ['5.0', undefined],
    ['1e3', undefined],
    ['5a', undefined],
    ['(5', undefined],
  ])('reads %j', (text, value) => {
    expect(readInteger(text)).toBe(value);
  });
});
