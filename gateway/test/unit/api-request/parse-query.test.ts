import { describe, expect, it } from 'vitest';
import { parseQuery } from '../../../api-request/parse-query.ts';
import { canonicalQuery, parseQueryString } from '../../../api-request/query-string.ts';
import { aColumn, aFilter, equals, errorOf } from './support.ts';

describe('parseQueryString', () => {
  it.each([
    ['', []],
    [
      'a=1&b=2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    [
      'a=1;b=2&',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    ['a=b=c', [['a', 'b=c']]],
    [
      'a&b=',
      [
        ['a', undefined],
        ['b', ''],
      ],
    ],
    ['a%20b=c+d%2B', [['a b', 'c d+']]],
    ['a=%C3%A9%zz%', [['a', 'é%zz%']]],
    [
      '&&a=1',
      [
        ['', undefined],
        ['', undefined],
        ['a', '1'],
      ],
    ],
  ])('reads %j', (text, pairs) => {
    expect(parseQueryString(text)).toEqual(pairs);
  });

  it('refuses escapes that are not UTF-8', () => {
    expect(errorOf(() => parseQueryString('a=%ff')).code).toBe('GW108');
  });
});

describe('canonicalQuery', () => {
  it.each([
    ['c=3&a=1&b=2&d', 'a=1&b=2&c=3&d='],
    ['id=gt.0&id=lt.5', 'id=gt.0,lt.5'],
    ['select=*,a(b)&x=-_.~', 'select=%2A%2Ca%28b%29&x=-_.~'],
    ['name=eq.%C3%A9', 'name=eq.%C3%83%C2%A9'],
    ['a=b%20c!', 'a=b%20c%21'],
    ['', ''],
  ])('writes %j as PostgREST does', (text, canonical) => {
    expect(canonicalQuery(parseQueryString(text))).toBe(canonical);
  });

  it('does not fail on a lone surrogate', () => {
    expect(canonicalQuery([['a', '\ud800']])).toBe('a=%C3%AF%C2%BF%C2%BD');
  });
});

describe('parseQuery', () => {
  it('sorts parameters by what their names say', () => {
    const { params } = parseQuery(
      'select=id,name&id=eq.5&clients.id=eq.1&or=(a.eq.1)&order=id&clients.order=id&clients.limit=3&limit=2' +
        '&columns=a&on_conflict=b&flag',
      false,
    );
    expect(params).toMatchObject({
      select: [aColumn('id'), aColumn('name')],
      isDefaultSelect: false,
      filters: [
        { path: [], value: aFilter('id', equals('5')) },
        { path: ['clients'], value: aFilter('id', equals('1')) },
      ],
      logic: [{ path: [], value: { kind: 'logic', operator: 'or' } }],
      order: [{ path: [] }, { path: ['clients'] }],
      ranges: [{ path: ['clients'], value: { offset: 0, limit: 3 } }],
      hasRootLimit: true,
      columns: ['a'],
      onConflict: ['b'],
      filterFields: ['id', 'clients.id'],
      routineParams: [],
    });
  });

  it.each(['', 'select=', 'select=*', 'select'])('%j selects all columns', (query) => {
    const { params } = parseQuery(query, false);
    expect([params.select, params.isDefaultSelect]).toEqual([[aColumn('*')], true]);
  });

  it('takes the first of repeated select parameters, even without a value', () => {
    expect(parseQuery('select=id&select=name', false).params.select).toEqual([aColumn('id')]);
    expect(parseQuery('select&select=name', false).params.select).toEqual([aColumn('*')]);
  });

  it('splits arguments and filters of a call by GET', () => {
    const { params } = parseQuery('a=1&id=eq.5&a=2&select=id', true);
    expect(params.routineParams).toEqual([
      ['a', '1'],
      ['a', '2'],
    ]);
    expect(params.filters).toEqual([{ path: [], value: aFilter('id', equals('5')) }]);
  });

  it('reports the fault that PostgREST finds first', () => {
    const query = 'on_conflict=&id=x&select=(&columns=&and=x&order=';
    const messages = ['order', 'logic tree', 'columns', 'filter', 'on_conflict'];
    const parameters = query.split('&').toReversed();
    const found: string[] = [];
    while (parameters.length > 0) {
      const { message } = (() => {
        try {
          parseQuery(parameters.join('&'), false);
          return { message: '' };
        } catch (error) {
          return error as Error;
        }
      })();
      found.push(message);
      parameters.shift();
    }
    // `select=(` is no fault: an empty list is read before it.
    expect(found.filter((message, i) => message !== '' && found.indexOf(message) === i)).toHaveLength(
      messages.length,
    );
    for (const [i, message] of messages.entries()) {
      expect([...new Set(found)][i]).toContain(`failed to parse ${message}`);
    }
  });
});
