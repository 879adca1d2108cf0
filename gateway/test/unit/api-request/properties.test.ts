import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HttpInput, parseApiRequest } from '../../../api-request/parse-api-request.ts';
import { parseFilter } from '../../../api-request/parse-filter.ts';
import { parseLogic } from '../../../api-request/parse-logic.ts';
import { parseOrder } from '../../../api-request/parse-order.ts';
import { parseSelect } from '../../../api-request/parse-select.ts';
import { GatewayError } from '../../../errors/gateway-error.ts';
import { arbitraryFilter, arbitraryLogic, arbitraryOrder, arbitrarySelect } from './arbitrary-query.ts';
import {
  printFilterValue,
  printLogic,
  printName,
  printOrder,
  printPath,
  printSelect,
} from './print-query.ts';
import { anInput, bytes, SETTINGS } from './support.ts';

// Characters that mean something in one of the grammars, among some that do not.
const TOKENS = [
  ...'()"\\,.:;!-><*{}[]=&%+?/ \t\n\0é😀\ud800',
  'eq',
  'not.',
  'in.(',
  'and',
  'or(',
  '::',
  '...',
  '->>',
  'count()',
  'lt(col).',
  'eq(parent).',
  '-id',
  'id',
  '0',
  '%ff',
];
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.array(fc.constantFrom(...TOKENS), { maxLength: 12 }).map((tokens) => tokens.join('')),
);
const rawQuery = fc.oneof(
  text,
  fc
    .array(
      fc.tuple(
        fc.oneof(
          text,
          fc.constantFrom('select', 'order', 'or', 'a.and', 'columns', 'on_conflict', 'limit', 'a.offset'),
        ),
        text,
      ),
      {
        maxLength: 4,
      },
    )
    .map((pairs) => pairs.map(([name, value]) => `${name}=${value}`).join('&')),
);
const input = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS', 'X'),
  path: fc.oneof(
    fc.constantFrom('/', '/items', '/rpc/f'),
    text.map((t) => `/${t}`),
  ),
  rawQuery,
  headers: fc.dictionary(
    fc.constantFrom(
      'accept',
      'content-type',
      'prefer',
      'range',
      'cookie',
      'accept-profile',
      'content-profile',
    ),
    fc.oneof(
      text,
      fc.constantFrom(
        'public',
        'text/csv',
        'application/json',
        'application/x-www-form-urlencoded',
        'text/plain',
        '0-1',
      ),
    ),
  ),
  body: fc.oneof(
    fc.constant(undefined),
    text.map(bytes),
    fc.json().map(bytes),
    fc.uint8Array({ maxLength: 20 }),
  ),
});

function expectResultOrGatewayError(request: HttpInput): void {
  try {
    parseApiRequest(request, SETTINGS);
  } catch (error) {
    expect(error).toBeInstanceOf(GatewayError);
  }
}

describe('any request', () => {
  it('gives an ApiRequest or a GatewayError', () => {
    fc.assert(
      fc.property(input, (given) => {
        expectResultOrGatewayError(anInput(given));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('20 kB of one token', () => {
  const tokens = [
    '(',
    'a(',
    '(and',
    'not.',
    '"',
    '\\',
    '{',
    '"\\"',
    '->',
    '->a',
    'a,',
    'a.',
    'a-',
    'a:',
    '!',
    ' ',
    '.',
    '%',
    '+',
    ';',
    '&',
  ];
  const names = ['select', 'order', 'or', 'columns', 'on_conflict', 'id', 'limit', ''];

  it.each(names)('as the value of %j gives an ApiRequest or a GatewayError', (name) => {
    for (const token of tokens) {
      for (const prefix of ['', '(', 'eq.', 'in.(', '(id.eq.', 'id,', 'rel(']) {
        const value = prefix + token.repeat(20_000 / token.length);
        expectResultOrGatewayError(anInput({ rawQuery: name === '' ? value : `${name}=${value}` }));
      }
    }
  });
});

describe('what is printed is read back', () => {
  it('select', () => {
    fc.assert(
      fc.property(arbitrarySelect, (select) => {
        expect(parseSelect(printSelect(select))).toEqual(select);
      }),
    );
  });

  it('filters', () => {
    const path = fc.array(fc.string({ minLength: 1 }), { maxLength: 3 });
    fc.assert(
      fc.property(path, arbitraryFilter, (embeds, filter) => {
        const name =
          [...embeds.map(printName), printName(filter.field.name)].join('.') + printPath(filter.field.path);
        expect(parseFilter(name, printFilterValue(filter))).toEqual({ path: embeds, value: filter });
      }),
    );
  });

  it('logic trees', () => {
    fc.assert(
      fc.property(arbitraryLogic, (tree) => {
        const name = `${tree.negated ? 'not.' : ''}${tree.operator}`;
        expect(parseLogic(name, printLogic(tree))).toEqual({ path: [], value: tree });
      }),
    );
  });

  it('orders', () => {
    fc.assert(
      fc.property(arbitraryOrder, (terms) => {
        expect(parseOrder('order', printOrder(terms))).toEqual({ path: [], value: terms });
      }),
    );
  });
});
