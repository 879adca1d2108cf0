import { describe, expect, it } from 'vitest';
import { PreparedStatements } from '../../../execute/prepared-statements.ts';
import { StatementNaming } from '../../../execute/statement-naming.ts';

describe('prepared statements of a connection', () => {
  it('keep the ones used last', () => {
    const prepared = new PreparedStatements(2);
    const a = prepared.entryFor('a', 'r');
    const b = prepared.entryFor('b', 'r');
    expect(prepared.entryFor('a', 'r')).toBe(a);
    prepared.entryFor('c', 'r');
    expect(prepared.takeEvicted()).toEqual([b.name]);
    expect(prepared.takeEvicted()).toEqual([]);
    expect(prepared.entryFor('a', 'r')).toBe(a);
  });

  it('are kept for each role by itself, within one bound', () => {
    const prepared = new PreparedStatements(2);
    const a = prepared.entryFor('a', 'r');
    const other = prepared.entryFor('a', 'other');
    expect(other.name).not.toBe(a.name);
    expect(prepared.entryFor('a', 'r')).toBe(a);
    prepared.entryFor('b', 'r');
    expect(prepared.size).toBe(2);
    expect(prepared.takeEvicted()).toEqual([other.name]);
  });

  it('never have a name twice, and no other connection can tell it', () => {
    const prepared = new PreparedStatements(10);
    const before = prepared.entryFor('a', 'r').name;
    prepared.forgetAll();
    expect(prepared.entryFor('a', 'r').name).not.toBe(before);
    expect(new PreparedStatements(10).entryFor('a', 'r').name).not.toBe(before);
  });
});

describe('naming of statements', () => {
  it('is given up when many batches lose their names', () => {
    const naming = new StatementNaming(true);
    for (let i = 0; i < 10; i++) {
      expect(naming.useNames()).toBe(i < 10);
      if (i % 2 === 1) naming.recordLoss();
    }
    expect(naming.useNames()).toBe(false);
  });

  it('outlasts a few losses among many batches', () => {
    const naming = new StatementNaming(true);
    for (let i = 0; i < 1000; i++) {
      naming.useNames();
      if (i % 50 === 0) naming.recordLoss();
    }
    expect(naming.useNames()).toBe(true);
  });
});
