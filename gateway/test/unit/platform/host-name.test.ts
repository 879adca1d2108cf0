import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseHostName } from '../../../platform/host-name.ts';
import { trustedProxies } from '../../../tenants/trusted-proxies.ts';

test.each([
  ['acme.localhost', 'acme.localhost'],
  ['Acme.Example.COM.:8000', 'acme.example.com'],
  ['my_app.example.com:80', 'my_app.example.com'],
  ['127.0.0.1:8000', '127.0.0.1'],
  ['[::1]:8000', '[::1]'],
  ['[2001:DB8::1]', '[2001:db8::1]'],
])('%s is the host %s', (header, host) => {
  expect(parseHostName(header)).toBe(host);
});

test.each([
  '',
  '.',
  ':80',
  'a..b',
  '-a.example.com',
  'a b',
  'a/b',
  'user@a',
  'a:',
  'a:x',
  'a:99999',
  'a:1:2',
  '[::1',
  '[x]',
  '[::1]x',
  'a%2eb',
  'ä.example.com',
  `${'a'.repeat(254)}`,
  "a';DROP TABLE x",
])('%j is no host', (header) => {
  expect(parseHostName(header)).toBeUndefined();
});

test('whatever is taken for a host holds only characters of hosts', () => {
  fc.assert(
    fc.property(fc.string(), (header) => {
      expect(parseHostName(header) ?? 'a').toMatch(/^[a-z0-9._:[\]-]+$/);
    }),
  );
});

test('proxies are told by address and range, also when mapped into IPv6', () => {
  const isTrusted = trustedProxies(['10.0.0.0/8', '192.168.1.1', 'fd00::/8']);
  expect(['10.1.2.3', '::ffff:10.1.2.3', '192.168.1.1', 'fd12::1'].map(isTrusted)).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect(['11.0.0.1', '::ffff:11.0.0.1', '192.168.1.2', 'fe80::1', '', 'x'].map(isTrusted)).not.toContain(
    true,
  );
  expect(isTrusted(undefined)).toBe(false);
  expect(trustedProxies([])('127.0.0.1')).toBe(false);
});
