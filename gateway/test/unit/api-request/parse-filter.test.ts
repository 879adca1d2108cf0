import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFilter, parseFilterOrArgument, parseTreePath } from '../../../api-request/parse-filter.ts';
import { readPlainOperation, scanOperation } from '../../../api-request/parse-operation.ts';
import type { Operation } from '../../../api-request/query-params.ts';
import { Scanner } from '../../../api-request/scanner.ts';
import { aField, aFilter, equals, errorOf } from './support.ts';

function operationOf(value: string): Operation {
  return parseFilter('id', value).value.operation;
}

describe('parseFilter', () => {
  it.each([
    ['eq.5', equals('5')],
    ['eq.', equals('')],
    ['eq.a.b,(c)', equals('a.b,(c)')],
    ['gte.3', { kind: 'compare', operator: 'gte', quantifier: undefined, value: '3' }],
    ['like(any).{a*,b*}', { kind: 'compare', operator: 'like', quantifier: 'any', value: '{a*,b*}' }],
    ['eq(all).{1,2}', { kind: 'compare', operator: 'eq', quantifier: 'all', value: '{1,2}' }],
    ['imatch.^x', { kind: 'compare', operator: 'imatch', quantifier: undefined, value: '^x' }],
    ['neq.x', { kind: 'simple', operator: 'neq', value: 'x' }],
    ['cs.{a,b c}', { kind: 'simple', operator: 'cs', value: '{a,b c}' }],
    ['nxl.[1,2)', { kind: 'simple', operator: 'nxl', value: '[1,2)' }],
    ['isdistinct.5', { kind: 'isdistinct', value: '5' }],
    ['fts.cat', { kind: 'full-text', operator: 'fts', language: undefined, value: 'cat' }],
    ['wfts(english).a or b', { kind: 'full-text', operator: 'wfts', language: 'english', value: 'a or b' }],
    ['is.null', { kind: 'is', value: 'null' }],
    ['is.NOT_NULL', { kind: 'is', value: 'not_null' }],
    ['is.True', { kind: 'is', value: 'true' }],
    ['is.unknown', { kind: 'is', value: 'unknown' }],
  ] as const)('reads %s', (value, operation) => {
    expect(operationOf(value)).toEqual(operation);
  });

  it.each([
    ['in.(1,2)', ['1', '2']],
    ['in.()', []],
    ['in.( )', []],
    ['in.("")', []],
    ['in.("","")', ['', '']],
    ['in.(,a)', ['', 'a']],
    ['in.(1,2,"a,b",c"d)', ['1', '2', 'a,b', 'c"d']],
    ['in.("a","b\\"c","d\\\\e")', ['a', 'b"c', 'd\\e']],
    ['in.( a , "b" )', ['a ', ' "b" ']],
    ['in.("a"b,"c)', ['"a"b', '"c']],
  ])('reads the list %s', (value, values) => {
    expect(operationOf(value)).toEqual({ kind: 'in', values });
  });

  it('reads not. before any operator', () => {
    expect(parseFilter('id', 'not.eq.5').value).toEqual(aFilter('id', equals('5'), true));
    expect(parseFilter('id', 'not.in.(1)').value).toEqual(aFilter('id', { kind: 'in', values: ['1'] }, true));
  });

  // Texts and columns as PostgREST answers them.
  it.each([
    ['noop.0', 1, 'unexpected "o" expecting "not" or operator (eq, gt, ...)'],
    ['val', 1, 'unexpected "v" expecting "not" or operator (eq, gt, ...)'],
    ['', 1, 'unexpected end of input expecting "not" or operator (eq, gt, ...)'],
    ['fts().value', 5, 'unexpected ")" expecting operator (eq, gt, ...)'],
    ['eq().value', 4, 'unexpected ")" expecting operator (eq, gt, ...)'],
    ['is().value', 3, 'unexpected "(" expecting operator (eq, gt, ...)'],
    ['in().value', 3, 'unexpected "(" expecting operator (eq, gt, ...)'],
    ['in.1', 4, 'unexpected "1" expecting "("'],
    ['in.(1', 6, 'unexpected end of input expecting "," or ")"'],
    ['is.foo', 5, 'unexpected "o" expecting isVal: (null, not_null, true, false, unknown)'],
    ['not.foo', 5, 'unexpected "f" expecting operator (eq, gt, ...)'],
    ['\t"x', 1, 'unexpected "\\t" expecting "not" or operator (eq, gt, ...)'],
    ['é', 1, 'unexpected "\\233" expecting "not" or operator (eq, gt, ...)'],
  ])('refuses %j', (value, column, details) => {
    expect(errorOf(() => parseFilter('id', value))).toEqual({
      code: 'PGRST100',
      message: `"failed to parse filter (${value})" (line 1, column ${column})`,
      details,
    });
  });

  it('reads common operators in one look exactly as the grammar does', () => {
    const operator = fc.constantFrom('eq', 'gt', 'neq', 'like', 'in', 'is', 'fts', 'nope', 'cs', 'adj', '');
    const text = fc.tuple(
      fc.constantFrom('', 'not.', 'not'),
      operator,
      fc.constantFrom('.', '(any).', ''),
      fc.string(),
    );
    fc.assert(
      fc.property(text, (parts) => {
        const value = parts.join('');
        const plain = readPlainOperation(value);
        if (plain === undefined) return;
        const general = scanOperation(new Scanner(value, '', true), (s) => s.text.slice(s.pos));
        expect(plain).toEqual(general);
      }),
    );
  });
});

describe('parseTreePath', () => {
  it.each([
    ['id', [], aField('id')],
    ['clients.projects.id', ['clients', 'projects'], aField('id')],
    ['"a.b"."c.d"', ['a.b'], aField('c.d')],
    ['rel.data->>a', ['rel'], aField('data', [{ arrow: '->>', operand: { kind: 'key', key: 'a' } }])],
  ])('reads %s', (name, path, value) => {
    expect(parseTreePath(name)).toEqual({ path, value });
  });

  it('refuses a name that begins with nothing nameable', () => {
    expect(errorOf(() => parseTreePath('!x'))).toEqual({
      code: 'PGRST100',
      message: '"failed to parse tree path (!x)" (line 1, column 1)',
      details: 'unexpected "!" expecting field name (* or [a..z0..9_$])',
    });
  });
});

describe('parseFilterOrArgument', () => {
  it('takes a value that is no operation for an argument', () => {
    expect(parseFilterOrArgument('a', 'five')).toEqual({ argument: 'a' });
    expect(parseFilterOrArgument('a', 'eq.5')).toEqual({ path: [], value: aFilter('a', equals('5')) });
  });

  it.each(['in.5', 'not.x', 'is.x'])('refuses a value that only begins like an operation: %s', (value) => {
    expect(errorOf(() => parseFilterOrArgument('a', value)).code).toBe('PGRST100');
  });
});
