import { describe, expect, test } from 'vitest';
import { problemOfHost, problemOfLogicalSchema, problemOfTenantId } from '../../../provision/tenant-names.ts';

describe('tenant ids', () => {
  test.each(['a', 'acme', 'acme-2', 'acme_2', 'a'.repeat(40)])('%s is one', (id) => {
    expect(problemOfTenantId(id)).toBeUndefined();
  });

  test.each(['', 'Acme', '1a', '-a', '_a', 'a b', 'a.b', 'a'.repeat(41), 'é', 'a"b', 'a\n'])(
    '%j is none',
    (id) => {
      expect(problemOfTenantId(id)).toContain('must begin with a letter');
    },
  );

  test.each([
    'public',
    'auth',
    'extensions',
    'control',
    'gate',
    'pgboss',
    'postgres',
    'template0',
    'pg_toast',
    'cascata',
    'cascata_shared',
    'information_schema',
    'storage',
    'realtime',
    'anon',
    'authenticated',
    'service_role',
  ])('%s is reserved', (id) => {
    expect(problemOfTenantId(id)).toBe(`'${id}' is reserved`);
  });
});

describe('hosts', () => {
  test.each([
    'localhost',
    'acme.localhost',
    '*.example.com',
    'a-b.example.co.uk',
    '127.0.0.1',
    '[::1]',
    'my_app.test',
  ])('%s is one', (host) => {
    expect(problemOfHost(host)).toBeUndefined();
  });

  test.each([
    '',
    '*',
    '*.',
    'a.*.com',
    'http://a',
    'a:80',
    'a/b',
    'a..b',
    '-a.com',
    'a-.com',
    'a b',
    'A.com',
    `${'a'.repeat(64)}.com`,
    `${'a.'.repeat(127)}`,
  ])('%j is none', (host) => {
    expect(problemOfHost(host)).toBeDefined();
  });
});

describe('logical schemas', () => {
  const naming = { schemaPrefix: 'acme', rolePrefix: 'acme' };

  test.each(['public', 'api', 'v2'])('%s can be had in a shared database', (name) => {
    expect(problemOfLogicalSchema(naming, name)).toBeUndefined();
  });

  test.each(['auth', 'extensions', 'pg_x', 'Api', 'a-b', 'x'.repeat(60)])('%s cannot', (name) => {
    expect(problemOfLogicalSchema(naming, name)).toBeDefined();
  });

  test('a remote database may call its schemas what it likes', () => {
    expect(
      problemOfLogicalSchema({ schemaPrefix: undefined, rolePrefix: undefined }, 'My Schema'),
    ).toBeUndefined();
  });
});
