import { describe, expect, it } from 'vitest';
import { parseSelect } from '../../../api-request/parse-select.ts';
import { aColumn, anEmbed, errorOf } from './support.ts';

const key = (name: string, arrow: '->' | '->>' = '->') =>
  ({ arrow, operand: { kind: 'key', key: name } }) as const;
const index = (at: string, arrow: '->' | '->>' = '->') =>
  ({ arrow, operand: { kind: 'index', index: at } }) as const;

describe('parseSelect', () => {
  it.each([
    ['', []],
    ['*', [aColumn('*')]],
    ['id,name', [aColumn('id'), aColumn('name')]],
    [' id , name ', [aColumn('id'), aColumn('name')]],
    [
      'first name,inner-dash,$x,ñandú,123',
      ['first name', 'inner-dash', '$x', 'ñandú', '123'].map((n) => aColumn(n)),
    ],
    ['"a.b","say \\"hi\\"",":"', ['a.b', 'say "hi"', ':'].map((n) => aColumn(n))],
    ['alias:col::text', [aColumn('col', { alias: 'alias', cast: 'text' })]],
    ['col::double precision', [aColumn('col', { cast: 'double precision' })]],
    ['data->a->0->>b-c', [aColumn('data', { path: [key('a'), index('0'), key('b-c', '->>')] })]],
    ['data->-1', [aColumn('data', { path: [index('-1')] })]],
    ['data->12a', [aColumn('data', { path: [key('12a')] })]],
    ['data->"a.b"->>!@#', [aColumn('data', { path: [key('a.b'), key('!@#', '->>')] })]],
    ['x:data->a::int', [aColumn('data', { alias: 'x', path: [key('a')], cast: 'int' })]],
  ])('reads columns: %s', (text, items) => {
    expect(parseSelect(text)).toEqual(items);
  });

  it('reads an index inside an embed as a key, as PostgREST does', () => {
    expect(parseSelect('rel(data->0)')).toEqual([anEmbed('rel', [aColumn('data', { path: [key('0')] })])]);
  });

  it.each([
    ['count()', aColumn('*', { aggregate: { fn: 'count', cast: undefined } })],
    ['n:count()::text', aColumn('*', { alias: 'n', aggregate: { fn: 'count', cast: 'text' } })],
    ['amount.sum()', aColumn('amount', { aggregate: { fn: 'sum', cast: undefined } })],
    [
      't:a::int.max()::text',
      aColumn('a', { alias: 't', cast: 'int', aggregate: { fn: 'max', cast: 'text' } }),
    ],
    ['data->a.avg()', aColumn('data', { path: [key('a')], aggregate: { fn: 'avg', cast: undefined } })],
    ['id.min()', aColumn('id', { aggregate: { fn: 'min', cast: undefined } })],
    ['id.count()', aColumn('id', { aggregate: { fn: 'count', cast: undefined } })],
    ['count', aColumn('count')],
  ])('reads aggregates: %s', (text, item) => {
    expect(parseSelect(text)).toEqual([item]);
  });

  it.each([
    ['rel(*)', anEmbed('rel', [aColumn('*')])],
    ['rel()', anEmbed('rel', [])],
    ['a:rel(id)', anEmbed('rel', [aColumn('id')], { alias: 'a' })],
    ['rel!fk(id)', anEmbed('rel', [aColumn('id')], { hint: 'fk' })],
    ['rel!inner(id)', anEmbed('rel', [aColumn('id')], { join: 'inner' })],
    ['a:rel!fk!left(id)', anEmbed('rel', [aColumn('id')], { alias: 'a', hint: 'fk', join: 'left' })],
    ['rel!inner!"f k"(id)', anEmbed('rel', [aColumn('id')], { hint: 'f k', join: 'inner' })],
    ['a( b ( c ) , d)', anEmbed('a', [anEmbed('b', [aColumn('c')]), aColumn('d')])],
    ['a(b(c),d)', anEmbed('a', [anEmbed('b', [aColumn('c')]), aColumn('d')])],
  ])('reads embeds: %s', (text, item) => {
    expect(parseSelect(text)).toEqual([item]);
  });

  it('reads spreads', () => {
    expect(parseSelect('id,...rel!fk!inner(name)')).toEqual([
      aColumn('id'),
      { kind: 'spread', name: 'rel', hint: 'fk', join: 'inner', select: [aColumn('name')] },
    ]);
  });

  it('ignores what follows a list that ends of itself, as PostgREST does', () => {
    expect(parseSelect('id)whatever')).toEqual([aColumn('id')]);
    expect(parseSelect('!whatever')).toEqual([]);
  });

  // Texts and columns as PostgREST answers them.
  it.each([
    ['*,', 3, 'unexpected end of input expecting "...", field name (* or [a..z0..9_$]), "*" or "count()"'],
    [
      'id,clients(name[])',
      16,
      `unexpected '[' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`,
    ],
    ['data->>-78xy', 11, `unexpected 'x' expecting digit, "->", "::", ".", "," or end of input`],
    [
      'name!hint',
      5,
      `unexpected '!' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`,
    ],
    ['id,*!hint', 5, `unexpected '!' expecting ")", "," or end of input`],
    ['name::', 7, 'unexpected end of input expecting letter or digit'],
    ['name-x-y!', 9, `unexpected '!' expecting "-", "->>", "->", "::", ".", ")", "," or end of input`],
    ['name->a->b(', 11, `unexpected '(' expecting "-", "->>", "->", "::", ".", ")", "," or end of input`],
    [
      'rel(id',
      7,
      'unexpected end of input expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input',
    ],
  ])('refuses %s', (text, column, details) => {
    expect(errorOf(() => parseSelect(text))).toEqual({
      code: 'PGRST100',
      message: `"failed to parse select parameter (${text})" (line 1, column ${column})`,
      details,
    });
  });

  it.each(['alias:...rel(id)', 'count(id)', 'a:b:c', 'rel!(id)', '"open', 'id,,name', 'id,->x', ' '])(
    'refuses %j',
    (text) => {
      expect(errorOf(() => parseSelect(text)).code).toBe('PGRST100');
    },
  );

  it('nests 500 levels deep and no deeper', () => {
    expect(parseSelect(`${'a('.repeat(500)}${')'.repeat(500)}`)).toHaveLength(1);
    expect(errorOf(() => parseSelect('a('.repeat(50_000))).details).toBe('nested more than 500 levels deep');
  });
});
