import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PreparedStatement, PreparedStatements } from '../../../execute/prepared-statements.ts';
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

  it('are what a plain list of them would say, whatever comes and goes', () => {
    const names = fc.constantFrom('a', 'b', 'c');
    const step = fc.record({ isForgotten: fc.boolean(), text: names, role: names });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 9 }), (steps, capacity) => {
        const known = new Set<string>();
        const prepared = new PreparedStatements(capacity, undefined, {
          learnt: (role) => void known.add(role),
          forgotten: (role) => void known.delete(role),
        });
        let kept: PreparedStatement[] = [];
        for (const { isForgotten, text, role } of steps) {
          const before = kept.find((entry) => entry.text === text && entry.role === role);
          if (isForgotten) {
            if (before !== undefined) prepared.forget(before);
            kept = kept.filter((entry) => entry !== before);
          } else {
            const entry = prepared.entryFor(text, role);
            if (before !== undefined) expect(entry).toBe(before);
            else kept.push(entry);
          }
          const evicted = prepared.takeEvicted();
          kept = kept.filter(({ name }) => !evicted.includes(name));
          expect(prepared.size).toBe(kept.length);
          expect(known).toEqual(new Set(kept.map((entry) => entry.role)));
          for (const one of ['a', 'b', 'c']) expect(prepared.hasRole(one)).toBe(known.has(one));
        }
        for (const entry of kept) expect(prepared.entryFor(entry.text, entry.role)).toBe(entry);
      }),
    );
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
