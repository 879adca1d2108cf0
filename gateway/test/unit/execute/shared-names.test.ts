import { expect, test } from 'vitest';
import { SharedNames } from '../../../execute/role-switch/shared-names.ts';

const HALF_AN_HOUR = 30 * 60_000;

test('a statement gets a name once it has come often enough, and it says how to prepare it', () => {
  const names = new SharedNames({ capacity: 10, uses: 3, now: () => 0 });
  expect([1, 2].map(() => names.find('SELECT $1', 'acme_anon', 'token'))).toEqual([undefined, undefined]);
  const shared = names.find('SELECT $1', 'acme_anon', 'token');
  expect(shared?.name).toMatch(/^p[0-9a-f]{24}$/);
  expect(shared?.prepare).toBe(`PREPARE ${shared?.name} AS SELECT $1`);
  expect(names.find('SELECT $1', 'acme_anon', 'token')).toBe(shared);
});

test('a name follows from token, text and time, so that gateways agree and nobody without the token can tell', () => {
  const nameOf = (text: string, role: string, token: string, at = 0) =>
    new SharedNames({ capacity: 10, uses: 1, now: () => at }).find(text, role, token)?.name;
  const name = nameOf('SELECT 1', 'acme_anon', 'a');
  expect(nameOf('SELECT 1', 'acme_anon', 'a', HALF_AN_HOUR - 1)).toBe(name);
  const others = [
    nameOf('SELECT 2', 'acme_anon', 'a'),
    nameOf('SELECT 1', 'acme_user', 'b'),
    nameOf('SELECT 1', 'acme_anon', 'a', HALF_AN_HOUR),
  ];
  expect(new Set([name, ...others]).size).toBe(4);
});

test('in half an hour no more names are given than there is room for, whatever comes', () => {
  let now = 0;
  const names = new SharedNames({ capacity: 2, uses: 1, now: () => now });
  const given = () => [1, 2, 3, 4].filter((n) => names.find(`SELECT ${n}`, 'r', 't') !== undefined);
  expect(given()).toEqual([1, 2]);
  for (let n = 0; n < 10_000; n++) expect(names.find(`SELECT x${n}`, 'r', 't')).toBe(undefined);
  expect(given()).toEqual([1, 2]);
  now = HALF_AN_HOUR;
  expect(given()).toEqual([1, 2]);
});
