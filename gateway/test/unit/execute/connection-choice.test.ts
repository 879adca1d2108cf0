import { describe, expect, test } from 'vitest';
import { type Choosable, chooseConnection } from '../../../execute/connection-choice.ts';

interface TestConnection extends Choosable {
  readonly name: string;
}

function aConnection(
  name: string,
  { roles = [], ...changes }: Partial<Omit<TestConnection, 'isWarmFor'>> & { roles?: readonly string[] } = {},
): TestConnection {
  return {
    name,
    isOpen: true,
    seed: 0,
    isWarmFor: (role) => roles.includes(role),
    ...changes,
  };
}

/** Seeds as they come from a random number generator. */
const SEEDS = Array.from({ length: 20 }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >>> 0) ^ 0x5bd1e995);
const CONNECTIONS = SEEDS.map((seed, i) => aConnection(`c${i}`, { seed }));
const ROLES = Array.from({ length: 1_000 }, (_, i) => `t${i}_anon`);

describe('a connection at rest', () => {
  test('that is warm for the role is taken, of several the one used last', () => {
    const idle = [
      aConnection('a', { roles: ['r'] }),
      aConnection('b', { roles: ['r'] }),
      aConnection('c'),
      aConnection('closed', { roles: ['r'], isOpen: false }),
    ];
    expect(chooseConnection(idle, 'r')).toBe(1);
    expect(chooseConnection(idle, 'other')).toBeLessThan(3);
  });

  test('is preferred by its share of the roles', () => {
    const counts = CONNECTIONS.map(() => 0);
    for (const role of ROLES) counts[chooseConnection(CONNECTIONS, role)]!++;
    expect(Math.min(...counts)).toBeGreaterThan(25);
    expect(Math.max(...counts)).toBeLessThan(90);
  });

  test('stays the preferred one when others come and go', () => {
    let moved = 0;
    for (const role of ROLES) {
      const before = CONNECTIONS[chooseConnection(CONNECTIONS, role)];
      const left = CONNECTIONS.slice(1);
      const after = left[chooseConnection(left, role)];
      if (before !== CONNECTIONS[0]) expect(after).toBe(before);
      else moved++;
    }
    expect(moved).toBeGreaterThan(0);
  });

  test('that is closed is no choice', () => {
    expect(chooseConnection([aConnection('closed', { isOpen: false })], 'r')).toBe(-1);
    expect(chooseConnection([], 'r')).toBe(-1);
  });
});
