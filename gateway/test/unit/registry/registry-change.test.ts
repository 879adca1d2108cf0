import { describe, expect, test } from 'vitest';
import { hostCandidates } from '../../../registry/postgres-registry-reader.ts';
import { parseRegistryChange } from '../../../registry/registry-listener.ts';

describe('parseRegistryChange', () => {
  test('reads what the registry announces', () => {
    expect(parseRegistryChange('{"tenant":"acme","hosts":["acme.localhost"],"schema":true}')).toEqual({
      tenantId: 'acme',
      hosts: ['acme.localhost'],
      schema: true,
    });
    expect(parseRegistryChange('{"tenant":"acme"}')).toEqual({ tenantId: 'acme', hosts: [], schema: false });
  });

  test.each(['', 'null', '{}', '[1]', '{"tenant":1}', '{"tenant":"a","hosts":"b"}', 'acme'])(
    'a payload of somebody else is nothing: %j',
    (payload) => {
      expect(parseRegistryChange(payload)).toBeUndefined();
    },
  );
});

describe('hostCandidates', () => {
  test('holds the host and every pattern that covers it', () => {
    expect(hostCandidates('a.b.example.com')).toEqual([
      'a.b.example.com',
      '*.b.example.com',
      '*.example.com',
      '*.com',
    ]);
    expect(hostCandidates('localhost')).toEqual(['localhost']);
  });
});
