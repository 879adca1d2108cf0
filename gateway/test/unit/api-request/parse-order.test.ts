import { describe, expect, it } from 'vitest';
import { parseColumns, parseOnConflict } from '../../../api-request/parse-columns.ts';
import { parseOrder } from '../../../api-request/parse-order.ts';
import type { OrderTerm } from '../../../api-request/query-params.ts';
import { aField, errorOf } from './support.ts';

function term(name: string, rest: Partial<OrderTerm> = {}): OrderTerm {
  return { field: aField(name), relation: undefined, direction: undefined, nulls: undefined, ...rest };
}

describe('parseOrder', () => {
  it.each([
    ['name', [term('name')]],
    ['name.desc.nullsfirst', [term('name', { direction: 'desc', nulls: 'first' })]],
    ['id.asc, name.nullslast', [term('id', { direction: 'asc' }), term('name', { nulls: 'last' })]],
    ['clients(name).desc', [term('name', { relation: 'clients', direction: 'desc' })]],
    ['"a.b".asc', [term('a.b', { direction: 'asc' })]],
    [
      'data->a.asc',
      [
        term('data', {
          field: aField('data', [{ arrow: '->', operand: { kind: 'key', key: 'a' } }]),
          direction: 'asc',
        }),
      ],
    ],
  ])('reads %s', (value, terms) => {
    expect(parseOrder('order', value)).toEqual({ path: [], value: terms });
  });

  it('positions the order of an embed', () => {
    expect(parseOrder('clients."x.y".order', 'id').path).toEqual(['clients', 'x.y']);
  });

  // Texts and columns as PostgREST answers them.
  it.each([
    ['name.foo', 6, 'unexpected "f" expecting "asc", "desc", "nullsfirst" or "nullslast"'],
    ['id.ac', 4, 'unexpected "c" expecting "asc", "desc", "nullsfirst" or "nullslast"'],
    ['id.descc', 8, `unexpected 'c' expecting delimiter (.), "," or end of input`],
    ['id.nullslasttt', 13, `unexpected 't' expecting "," or end of input`],
    ['id.asc.nlsfst', 8, 'unexpected "l" expecting "nullsfirst" or "nullslast"'],
    [
      'clients(name,id)',
      8,
      `unexpected '(' expecting letter, digit, "-", "->>", "->", delimiter (.), "," or end of input`,
    ],
    ['', 1, 'unexpected end of input expecting field name (* or [a..z0..9_$])'],
  ])('refuses %j', (value, column, details) => {
    expect(errorOf(() => parseOrder('order', value))).toEqual({
      code: 'PGRST100',
      message: `"failed to parse order (${value})" (line 1, column ${column})`,
      details,
    });
  });
});

describe('parseColumns', () => {
  it('gives distinct names, sorted', () => {
    expect(parseColumns('"b","a b" , b,"c,d"')).toEqual(['a b', 'b', 'c,d']);
  });

  it('refuses an empty list', () => {
    expect(errorOf(() => parseColumns(''))).toEqual({
      code: 'PGRST100',
      message: '"failed to parse columns parameter ()" (line 1, column 1)',
      details: 'unexpected end of input expecting field name (* or [a..z0..9_$])',
    });
  });
});

describe('parseOnConflict', () => {
  it('keeps the order given', () => {
    expect(parseOnConflict('b,"a"')).toEqual(['b', 'a']);
  });

  it('names the parameter in its error', () => {
    expect(errorOf(() => parseOnConflict('a,')).message).toBe(
      '"failed to parse on_conflict parameter (a,)" (line 1, column 3)',
    );
  });
});
