import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SealError, seal, unseal, unsealText } from '../../../registry/sealing.ts';
import { Secret } from '../../../registry/secrets.ts';

const masterKey = new Secret('0123456789abcdef0123456789abcdef');
const context = 'tenants/acme/jwt';

describe('sealing', () => {
  test('opens to what was sealed, bytes and text alike', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(unseal(seal(bytes, { masterKey, context }), { masterKey, context })).toEqual(
          new Uint8Array(bytes),
        );
      }),
    );
    expect(unsealText(seal('geheim ✓', { masterKey, context }), { masterKey, context })).toBe('geheim ✓');
  });

  test('the same text is sealed differently each time', () => {
    expect(seal('x', { masterKey, context })).not.toBe(seal('x', { masterKey, context }));
  });

  test.each([
    ['another master key', { masterKey: new Secret('another key of thirty-two bytes!'), context }],
    ['the context of another row', { masterKey, context: 'tenants/globex/jwt' }],
  ])('does not open with %s', (_, options) => {
    expect(() => unseal(seal('x', { masterKey, context }), options)).toThrow(SealError);
  });

  test('does not open when any byte was changed', () => {
    const sealed = seal('secret', { masterKey, context });
    const bytes = Buffer.from(sealed.slice(3), 'base64url');
    for (let i = 0; i < bytes.length; i++) {
      const changed = Buffer.from(bytes);
      changed[i]! ^= 1;
      expect(() => unseal(`v1.${changed.toString('base64url')}`, { masterKey, context })).toThrow(SealError);
    }
    for (const text of ['', 'v1.', 'v2.abc', 'v1.AAAA']) {
      expect(() => unseal(text, { masterKey, context })).toThrow(SealError);
    }
  });

  test('the error names the row and no secret', () => {
    const error = (() => {
      try {
        return unseal('v1.AAAA', { masterKey, context });
      } catch (caught) {
        return caught;
      }
    })();
    expect(inspect(error)).toContain(context);
    expect(inspect(error)).not.toContain(masterKey.reveal());
  });
});
