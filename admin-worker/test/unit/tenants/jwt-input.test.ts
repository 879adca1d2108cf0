import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { Secret } from '../../../../gateway/registry/secrets.ts';
import { JwtInput, jwtColumns } from '../../../tenants/jwt-input.ts';

const context = { tenantId: 'acme', masterKey: new Secret('m'.repeat(32)) };

test.each([
  ['a JWK', '{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ"}'],
  ['a JWK Set', ' {"keys":[{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ"}]}'],
])('a secret that is the text of %s is kept as a key set', (_name, secret) => {
  expect(jwtColumns({ secret }, context)).toMatchObject({ jwt_kind: 'jwks', jwks_url: null });
});

test.each(['{not json, but long enough to be a secret}', '{"a":"JSON that is no key, long enough too"}'])(
  'any other text is a secret: %s',
  (secret) => {
    expect(jwtColumns({ secret }, context)).toMatchObject({ jwt_kind: 'secret' });
  },
);

test('a PEM is no secret: whoever has a public key could sign with it', () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const secret = publicKey.export({ type: 'spki', format: 'pem' });
  expect(JwtInput.safeParse({ secret }).error?.issues).toMatchObject([
    { path: ['secret'], message: 'is a PEM: send the key as jwks' },
  ]);
});
