import { describe, expect, test } from 'vitest';
import {
  type Choosable,
  type Choosing,
  chooseWaiter,
  findPreferred,
  findWarm,
  isWorthWaiting,
  PATIENCE_MS,
} from '../../../execute/connection-choice.ts';

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
    busySinceMs: 0,
    isWarmFor: (role) => roles.includes(role),
    ...changes,
  };
}

function aWaiter(role: string, changes: Partial<Choosing> = {}): Choosing {
  return { role, patientUntilMs: 0, skipped: 0, ...changes };
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
    expect(findWarm(idle, 'r')).toBe(1);
    expect(findWarm(idle, 'other')).toBe(-1);
  });

  test('is preferred by its share of the roles', () => {
    const counts = CONNECTIONS.map(() => 0);
    for (const role of ROLES) counts[findPreferred(CONNECTIONS, role)]!++;
    expect(Math.min(...counts)).toBeGreaterThan(25);
    expect(Math.max(...counts)).toBeLessThan(90);
  });

  test('stays the preferred one when others come and go', () => {
    let moved = 0;
    for (const role of ROLES) {
      const before = CONNECTIONS[findPreferred(CONNECTIONS, role)];
      const left = CONNECTIONS.slice(1);
      const after = left[findPreferred(left, role)];
      if (before !== CONNECTIONS[0]) expect(after).toBe(before);
      else moved++;
    }
    expect(moved).toBeGreaterThan(0);
  });

  test('that is closed is no choice', () => {
    expect(findPreferred([aConnection('closed', { isOpen: false })], 'r')).toBe(-1);
    expect(findPreferred([], 'r')).toBe(-1);
  });
});

describe('waiting for a busy connection', () => {
  const now = 1_000;

  test('is worth it while it is warm for the role and has just begun', () => {
    const begun = (ms: number) => [aConnection('a', { roles: ['r'], busySinceMs: now - ms })];
    expect(isWorthWaiting(begun(PATIENCE_MS / 2), 'r', now)).toBe(true);
    expect(isWorthWaiting(begun(PATIENCE_MS + 1), 'r', now)).toBe(false);
    expect(isWorthWaiting(begun(PATIENCE_MS / 2), 'other', now)).toBe(false);
    expect(isWorthWaiting([aConnection('at rest', { roles: ['r'] })], 'r', now)).toBe(false);
  });

  test('ends with who it is warm for, then with who came first and would take any', () => {
    const first = aWaiter('cold');
    const second = aWaiter('warm', { patientUntilMs: now + 1 });
    const connection = aConnection('a', { roles: ['warm'] });
    expect(chooseWaiter([first, second], connection, now)).toBe(second);
    expect(chooseWaiter([first, aWaiter('other')], connection, now)).toBe(first);
    const patient = aWaiter('elsewhere', { patientUntilMs: now + 1 });
    expect(chooseWaiter([patient, first], connection, now)).toBe(first);
    expect(chooseWaiter([patient], connection, now)).toBeUndefined();
    expect(chooseWaiter([patient], connection, now + 1)).toBe(patient);
    expect(chooseWaiter([], connection, now)).toBeUndefined();
  });

  test('does not last for ever for who came first, however many suit better', () => {
    const first = aWaiter('cold');
    const connection = aConnection('a', { roles: ['warm'] });
    let served = 0;
    while (chooseWaiter([first, aWaiter('warm')], connection, now) !== first) served++;
    expect(served).toBe(20);
  });
});
