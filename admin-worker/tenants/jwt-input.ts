import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { seal } from '../../gateway/registry/sealing.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { tenantSealContext } from '../../gateway/registry/tenant-row.ts';

/** Of a secret that tokens are signed with: as many as HS256 has. */
export const MIN_SECRET_BYTES = 32;
const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

const JwtSecret = z
  .string()
  .refine((text) => Buffer.byteLength(text) >= MIN_SECRET_BYTES, {
    error: 'must have at least 32 characters',
  })
  // Taken for a secret, a public key would let everybody who has it sign tokens.
  .refine((text) => !text.trimStart().startsWith('-----BEGIN '), { error: 'is a PEM: send the key as jwks' });

const Base64Secret = z
  .string()
  .regex(/^[A-Za-z0-9+/_-]+={0,2}$/, { error: 'is not base64' })
  .refine((text) => Buffer.from(text, 'base64').length >= MIN_SECRET_BYTES, {
    error: 'must stand for at least 32 bytes',
  });

const Jwk = z.looseObject({ kty: z.string() });
const Jwks = z.union([z.looseObject({ keys: z.array(Jwk).min(1) }), Jwk], {
  error: 'must be a JWK Set ({"keys": [{"kty": …}]}) or one JWK',
});

export const JwksUrl = z
  .string()
  .refine(isAllowedJwksUrl, { error: 'must be an https URL (http on the loopback only)' });

/** How the tenant's tokens are verified; exactly one of the four. */
export const JwtInput = z
  .strictObject({ secret: JwtSecret, secret_base64: Base64Secret, jwks: Jwks, jwks_url: JwksUrl })
  .partial()
  .refine((jwt) => Object.values(jwt).filter((value) => value !== undefined).length === 1, {
    error: 'must hold exactly one of secret, secret_base64, jwks, jwks_url',
  });
export type JwtInput = z.output<typeof JwtInput>;

/** The columns of `control.tenants` that say how tokens are verified. */
export interface JwtColumns {
  readonly jwt_kind: 'none' | 'secret' | 'jwks' | 'jwks-url';
  readonly sealed_jwt: string | null;
  readonly jwks_url: string | null;
}

/** @param input `null`: no key at all; `undefined`: a secret of 64 characters is generated */
export function jwtColumns(
  input: JwtInput | null | undefined,
  { tenantId, masterKey }: { tenantId: string; masterKey: Secret },
): JwtColumns {
  const sealed = (plain: string | Uint8Array) =>
    seal(plain, { masterKey, context: tenantSealContext(tenantId, 'jwt') });
  if (input === null) return { jwt_kind: 'none', sealed_jwt: null, jwks_url: null };
  if (input?.jwks_url !== undefined)
    return { jwt_kind: 'jwks-url', sealed_jwt: null, jwks_url: input.jwks_url };
  const jwks = input?.jwks ?? keySetIn(input?.secret);
  if (jwks !== undefined) {
    const set = 'keys' in jwks ? jwks : { keys: [jwks] };
    return { jwt_kind: 'jwks', sealed_jwt: sealed(JSON.stringify(set)), jwks_url: null };
  }
  const secret =
    input?.secret_base64 === undefined
      ? (input?.secret ?? randomBytes(48).toString('base64url'))
      : new Uint8Array(Buffer.from(input.secret_base64, 'base64'));
  return { jwt_kind: 'secret', sealed_jwt: sealed(secret), jwks_url: null };
}

/** PostgREST's `jwt-secret` may be the text of a JWK or of a JWK Set (A2). */
function keySetIn(secret: string | undefined): z.output<typeof Jwks> | undefined {
  if (secret === undefined || !secret.trimStart().startsWith('{')) return undefined;
  try {
    return Jwks.safeParse(JSON.parse(secret)).data;
  } catch {
    return undefined;
  }
}

function isAllowedJwksUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.has(url.hostname));
}
