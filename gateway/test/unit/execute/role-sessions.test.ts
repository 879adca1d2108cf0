import { expect, test } from 'vitest';
import { PreparedStatements } from '../../../execute/prepared-statements.ts';
import { RoleSessions } from '../../../execute/role-sessions.ts';

function aSession(name: string, sessions: RoleSessions<string>, capacity = 2): PreparedStatements {
  return new PreparedStatements(capacity, undefined, {
    learnt: (role) => sessions.learnt(role, name),
    forgotten: (role) => sessions.forgotten(role, name),
  });
}

test('a role’s sessions are those with a statement of it, the first one first', () => {
  const sessions = new RoleSessions<string>();
  const [one, two] = [aSession('one', sessions), aSession('two', sessions)];
  two.entryFor('a', 'r');
  one.entryFor('a', 'r');
  one.entryFor('b', 'r');
  expect(sessions.of('r')).toEqual(['two', 'one']);
  expect(sessions.of('other')).toEqual([]);
});

test('a session is none of a role’s any more when the last statement of it was pushed out, refused or lost', () => {
  const sessions = new RoleSessions<string>();
  const one = aSession('one', sessions);
  one.entryFor('a', 'r');
  one.entryFor('b', 'r');
  one.entryFor('a', 'other');
  expect(sessions.of('r')).toEqual(['one']);
  one.entryFor('b', 'other');
  expect(sessions.of('r')).toEqual([]);
  const refused = one.entryFor('c', 'r');
  one.forget(refused);
  expect([sessions.of('r'), sessions.of('other')]).toEqual([[], ['one']]);
  one.forgetAll();
  expect(sessions.of('other')).toEqual([]);
});
