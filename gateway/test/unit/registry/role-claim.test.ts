import { describe, expect, test } from 'vitest';
import { parseRoleClaim } from '../../../registry/role-claim/role-claim.ts';

const CLAIMS = {
  role: 'top',
  roles: ['guest', 'app_editor', 'admin'],
  realm: {
    'my roles': [
      { name: 'x', level: 1 },
      { name: 'y', level: 2 },
    ],
  },
  'https://example.com/role': 'dotted',
  number: 5,
  nothing: null,
};

describe('JSONPath', () => {
  test.each([
    ['$.role', 'top'],
    ["$['role']", 'top'],
    ['$["https://example.com/role"]', 'dotted'],
    ['$.roles[0]', 'guest'],
    ['$.roles[-1]', 'admin'],
    ['$.roles[1:]', 'app_editor'],
    ['$.roles[::-1]', 'admin'],
    ['$.roles[*]', 'guest'],
    ['$.roles[?@ == "admin"]', 'admin'],
    ['$.roles[?(@ == "nobody" || @ == "app_editor")]', 'app_editor'],
    ['$.roles[?@ != "guest" && @ != "admin"]', 'app_editor'],
    ['$.roles[?!(@ == "guest")]', 'app_editor'],
    ["$.realm['my roles'][?@.level > 1].name", 'y'],
    ["$.realm['my roles'][?@.name].name", 'x'],
    ['$..level', '1'],
    ['$["missing", "role"]', 'top'],
  ])('%s gives %s', (key, role) => {
    expect(parseRoleClaim(key)(CLAIMS)).toBe(role);
  });

  test('a path to nothing names no role', () => {
    expect(parseRoleClaim('$.roles[?@ == "nobody"]')(CLAIMS)).toBeUndefined();
    expect(parseRoleClaim('$.constructor')(CLAIMS)).toBeUndefined();
  });

  test('a value that is no text is taken as its JSON', () => {
    expect(parseRoleClaim('$.number')(CLAIMS)).toBe('5');
    expect(parseRoleClaim('$.nothing')(CLAIMS)).toBe('null');
    expect(parseRoleClaim('$.roles')(CLAIMS)).toBe('["guest","app_editor","admin"]');
  });

  test.each(['$.', '$.roles[', '$.roles[?]', '$.role extra', '$.a[?@ ==]', "$['a"])(
    '%s is refused',
    (key) => {
      expect(() => parseRoleClaim(key)).toThrow(SyntaxError);
    },
  );
});

describe('the older path', () => {
  test.each([
    ['.role', 'top'],
    ['."https://example.com/role"', 'dotted'],
    ['.roles[1]', 'app_editor'],
    ['.realm."my roles"[1].name', 'y'],
    ['.roles[?(@ == "admin")]', 'admin'],
    ['.roles[?(@ != "guest")]', 'app_editor'],
    ['.roles[?(@ ^== "app_")]', 'app_editor'],
    ['.roles[?(@ ==^ "min")]', 'admin'],
    ['.roles[?(@ *== "edit")]', 'app_editor'],
  ])('%s gives %s', (key, role) => {
    expect(parseRoleClaim(key)(CLAIMS)).toBe(role);
  });

  test('a path to nothing names no role', () => {
    expect(parseRoleClaim('.roles.x')(CLAIMS)).toBeUndefined();
    expect(parseRoleClaim('.roles[7]')(CLAIMS)).toBeUndefined();
    expect(parseRoleClaim('.__proto__')(CLAIMS)).toBeUndefined();
  });

  test.each(['role', '.', '.role[', '.roles[?(@ == "a")].b', '.roles[-1]', ''])('%s is refused', (key) => {
    expect(() => parseRoleClaim(key)).toThrow(SyntaxError);
  });
});
