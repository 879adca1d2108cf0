import { describe, expect, it } from 'vitest';
import { parseLogic } from '../../../api-request/parse-logic.ts';
import type { LogicTree } from '../../../api-request/query-params.ts';
import { aField, aFilter, equals, errorOf } from './support.ts';

function group(operator: 'and' | 'or', children: readonly LogicTree[], negated = false): LogicTree {
  return { kind: 'logic', operator, negated, children };
}

describe('parseLogic', () => {
  it('reads nested groups, negations and blanks', () => {
    const tree = parseLogic('or', '(id.eq.1, and( a.not.eq.2 ,not.or(b.eq.3,c.is.null)))').value;
    expect(tree).toEqual(
      group('or', [
        aFilter('id', equals('1')),
        group('and', [
          aFilter('a', equals('2 '), true),
          group('or', [aFilter('b', equals('3')), aFilter('c', { kind: 'is', value: 'null' })], true),
        ]),
      ]),
    );
  });

  it.each([
    ['"a,b)"', 'a,b)'],
    ['"say \\"hi\\""', 'say "hi"'],
    ['{1,2}', '{1,2}'],
    ['{1{2}', '{1{2}'],
    ['"a"b', '"a"b'],
    ['', ''],
  ])('reads the value %s', (text, value) => {
    const { children } = parseLogic('and', `(x.eq.${text})`).value as { children: readonly LogicTree[] };
    expect(children[0]).toEqual(aFilter('x', equals(value)));
  });

  it('reads lists and JSON paths inside', () => {
    expect(parseLogic('and', '(id.in.(1,"2,3"),data->>a.eq.x)').value).toEqual(
      group('and', [
        aFilter('id', { kind: 'in', values: ['1', '2,3'] }),
        aFilter(aField('data', [{ arrow: '->>', operand: { kind: 'key', key: 'a' } }]), equals('x')),
      ]),
    );
  });

  it.each([
    ['clients.or', ['clients'], 'or', false],
    ['not.and', [], 'and', true],
    ['clients.projects.not.or', ['clients', 'projects'], 'or', true],
  ] as const)('reads the path %s', (name, path, operator, negated) => {
    expect(parseLogic(name, '(id.eq.1)')).toEqual({
      path,
      value: group(operator, [aFilter('id', equals('1'))], negated),
    });
  });

  // Columns count from the operator, which PostgREST puts before the value.
  it.each([
    [
      'or',
      '()',
      4,
      'unexpected ")" expecting field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)',
    ],
    ['or', '(id.in.1,2,id.eq.3)', 10, 'unexpected "1" expecting "("'],
    ['or', ')(', 3, 'unexpected ")" expecting "("'],
    ['and', '(ord(id.eq.1,id.eq.1),id.eq.2)', 7, 'unexpected "d" expecting "("'],
    ['or', '(id.eq.1,not.xor(id.eq.2,id.eq.3))', 16, 'unexpected "x" expecting logic operator (and, or)'],
    ['or', '(id.eq.1', 11, 'unexpected end of input expecting "," or ")"'],
    ['and', '(a-name(', 11, 'unexpected "(" expecting "-", "->>", "->" or delimiter (.)'],
    ['and', '(fts->id(', 12, 'unexpected "(" expecting "-", "->>", "->" or delimiter (.)'],
  ])('refuses %s=%s', (name, value, column, details) => {
    expect(errorOf(() => parseLogic(name, value))).toEqual({
      code: 'PGRST100',
      message: `"failed to parse logic tree (${value})" (line 1, column ${column})`,
      details,
    });
  });

  it('refuses 100 kB of parentheses without exhausting the stack', () => {
    expect(errorOf(() => parseLogic('or', '('.repeat(100_000))).code).toBe('PGRST100');
    expect(errorOf(() => parseLogic('or', '(and'.repeat(25_000))).details).toBe(
      'nested more than 500 levels deep',
    );
  });
});
