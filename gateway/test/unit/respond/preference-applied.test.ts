import { expect, test } from 'vitest';
import type { Preferences } from '../../../api-request/preferences.ts';
import { preferenceApplied } from '../../../respond/preference-applied.ts';

const NONE: Preferences = {
  resolution: undefined,
  return: undefined,
  missing: undefined,
  count: undefined,
  tx: undefined,
  handling: undefined,
  timezone: undefined,
  maxAffected: undefined,
  invalid: [],
};

const ALL: Preferences = {
  resolution: 'merge-duplicates',
  return: 'representation',
  missing: 'default',
  count: 'exact',
  tx: 'rollback',
  handling: 'strict',
  timezone: 'Europe/Berlin',
  maxAffected: 3,
  invalid: ['x'],
};

const ALWAYS = 'count=exact, tx=rollback, handling=strict, timezone=Europe/Berlin';

test.each([
  [{ kind: 'read' }, ALWAYS],
  [{ kind: 'call' }, `${ALWAYS}, max-affected=3`],
  [
    { kind: 'mutate', mutation: 'create', hasConflictTarget: true },
    `resolution=merge-duplicates, missing=default, return=representation, ${ALWAYS}`,
  ],
  [{ kind: 'mutate', mutation: 'create' }, `missing=default, return=representation, ${ALWAYS}`],
  [
    { kind: 'mutate', mutation: 'update' },
    `missing=default, return=representation, ${ALWAYS}, max-affected=3`,
  ],
  [{ kind: 'mutate', mutation: 'delete' }, `return=representation, ${ALWAYS}, max-affected=3`],
  [{ kind: 'mutate', mutation: 'single-upsert' }, `return=representation, ${ALWAYS}`],
] as const)('%j echoes %s', (context, expected) => {
  expect(preferenceApplied(ALL, context)).toBe(expected);
});

test('max-affected is echoed with handling=strict only', () => {
  const context = { kind: 'mutate', mutation: 'delete' } as const;
  expect(preferenceApplied({ ...NONE, maxAffected: 3 }, context)).toBeUndefined();
  expect(preferenceApplied({ ...NONE, maxAffected: 3, handling: 'lenient' }, context)).toBe(
    'handling=lenient',
  );
});

test('update is echoed on updates, after PostgREST’s own', () => {
  const preferences: Preferences = { ...NONE, update: 'by-key', maxAffected: 3, handling: 'strict' };
  expect(preferenceApplied(preferences, { kind: 'mutate', mutation: 'update' })).toBe(
    'handling=strict, max-affected=3, update=by-key',
  );
  expect(preferenceApplied(preferences, { kind: 'mutate', mutation: 'create' })).toBe('handling=strict');
});

test('no preferences, no header', () => {
  expect(preferenceApplied(NONE, { kind: 'read' })).toBeUndefined();
});
