import { describe, expect, test } from 'vitest';
import { createApiKey, hasValidChecksum } from '../../../tenants/tenant-keys.ts';

describe('opaque keys', () => {
  test.each(['publishable', 'secret'] as const)(
    'a %s key has the form clients know, and a checksum',
    (kind) => {
      const key = createApiKey(kind);
      expect(key).toMatch(new RegExp(`^sb_${kind}_[A-Za-z0-9_-]{22}_[A-Za-z0-9_-]{8}$`));
      expect(hasValidChecksum(key)).toBe(true);
      expect(createApiKey(kind)).not.toBe(key);
    },
  );

  test('a key with a letter wrong is noticed', () => {
    const key = createApiKey('secret');
    const changed = key[15] === 'x' ? 'y' : 'x';
    expect(hasValidChecksum(key.slice(0, 15) + changed + key.slice(16))).toBe(false);
    expect(hasValidChecksum('')).toBe(false);
    expect(hasValidChecksum('sb_secret_')).toBe(false);
  });
});
