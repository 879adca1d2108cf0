import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { keySetFromSecret } from '../../../auth/verification-key.ts';
import { verifyToken } from '../../../auth/verify-token.ts';

const SECRET = 'a-secret-of-at-least-32-characters!!';
const bytes = (text: string) => new TextEncoder().encode(text);

type SigningKey = Parameters<SignJWT['sign']>[0];

function sign(key: SigningKey, header: { alg: string; kid?: string } = { alg: 'HS256' }): Promise<string> {
  return new SignJWT({ role: 'ann' }).setProtectedHeader(header).sign(key);
}

const verified = async (secret: Uint8Array, token: string): Promise<unknown> =>
  JSON.parse(await verifyToken(token, keySetFromSecret(secret)));

describe('A2: a secret', () => {
  test('as plain text verifies HS256', async () => {
    expect(await verified(bytes(SECRET), await sign(bytes(SECRET)))).toEqual({ role: 'ann' });
  });

  test('may be any bytes, as base64 gives them', async () => {
    const secret = new Uint8Array(randomBytes(40));
    expect(await verified(secret, await sign(secret))).toEqual({ role: 'ann' });
  });

  test.each([
    ['a JWK', (jwk: object) => jwk],
    ['a JWK Set', (jwk: object) => ({ keys: [jwk] })],
  ])('that is %s verifies what its keys signed', async (_form, form) => {
    const oct = { kty: 'oct', k: Buffer.from(SECRET).toString('base64url') };
    expect(await verified(bytes(JSON.stringify(form(oct))), await sign(bytes(SECRET)))).toEqual({
      role: 'ann',
    });
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const jwk = { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'k1' };
    const secret = bytes(JSON.stringify(form(jwk)));
    for (const alg of ['RS256', 'PS512']) {
      expect(await verified(secret, await sign(rsa.privateKey, { alg, kid: 'k1' }))).toEqual({ role: 'ann' });
    }
    await expect(verified(secret, await sign(rsa.privateKey, { alg: 'RS256', kid: 'k2' }))).rejects.toThrow(
      'No suitable key or wrong key type',
    );
  });

  test('that is a public JWK is no HMAC secret, though everybody knows its text', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const secret = bytes(JSON.stringify(publicKey.export({ format: 'jwk' })));
    await expect(verified(secret, await sign(secret))).rejects.toThrow('No suitable key or wrong key type');
  });

  test.each(['{not json, but long enough to be a secret}', '{"and":"json that is no key, but long enough"}'])(
    'that only looks like JSON is plain text: %s',
    async (text) => {
      expect(await verified(bytes(text), await sign(bytes(text)))).toEqual({ role: 'ann' });
    },
  );
});
