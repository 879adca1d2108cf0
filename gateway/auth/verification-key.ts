import { type CryptoKey, importJWK, type JWK } from 'jose';

/** One key that signatures may be checked with. */
export interface VerificationKey {
  readonly kid: string | undefined;
  /** JWS algorithms the key's type, curve and own `alg` allow. */
  readonly algorithms: readonly string[];
  /** Key material for one algorithm; imported at most once for each. */
  import(algorithm: string): Promise<CryptoKey | Uint8Array>;
}

/** The keys of one tenant at one moment. A changed set is a new object, so identity tells whether it changed. */
export interface KeySet {
  readonly keys: readonly VerificationKey[];
}

const HMAC = ['HS256', 'HS384', 'HS512'];
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const EC: Readonly<Record<string, readonly string[]>> = {
  'P-256': ['ES256'],
  'P-384': ['ES384'],
  'P-521': ['ES512'],
};

/** Every algorithm some key could be used with. `none` is not among them, and never will be. */
export const SUPPORTED_ALGORITHMS: ReadonlySet<string> = new Set([
  ...HMAC,
  ...RSA,
  ...Object.values(EC).flat(),
  'EdDSA',
  'Ed25519',
]);

// A set is searched for each new token, and the one from a URL is not ours to trust with our time.
const MAX_KEYS = 64;

/**
 * A secret is a JWK, a JWK Set or, when it is no JSON of that form, a key for HS256 alone without a `kid` (POSTGREST.md A2). What is a
 * JWK is never taken for a plain secret as well: a public key is no secret.
 */
export function keySetFromSecret(secret: Uint8Array): KeySet {
  const jwks = jwksText(secret);
  if (jwks !== undefined) return keySetFromJwks(jwks);
  return { keys: [{ kid: undefined, algorithms: ['HS256'], import: async () => secret }] };
}

/**
 * Reads a JWK Set, or a single JWK. Keys for encryption, of unknown types or curves are left out.
 *
 * @param options.isPublic the set is for anybody to read: symmetric keys, with which anybody could sign, are left out
 * @throws {TypeError} when the text is no JSON object of that shape
 */
export function keySetFromJwks(text: string, { isPublic = false } = {}): KeySet {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new TypeError('The JWK Set is not valid JSON');
  }
  if (!isObject(json)) throw new TypeError('The JWK Set is not a JSON object');
  const entries = 'keys' in json ? json.keys : [json];
  if (!Array.isArray(entries)) throw new TypeError('The "keys" of the JWK Set are not an array');
  const keys: VerificationKey[] = [];
  for (const entry of entries.slice(0, MAX_KEYS)) {
    const key = isObject(entry) && !(isPublic && entry.kty === 'oct') ? verificationKey(entry) : undefined;
    if (key !== undefined) keys.push(key);
  }
  return { keys };
}

const OPENING_BRACE = 0x7b;

function jwksText(secret: Uint8Array): string | undefined {
  if (secret[0] !== OPENING_BRACE) return undefined;
  const text = Buffer.from(secret).toString('utf8');
  try {
    const json: unknown = JSON.parse(text);
    return isObject(json) && (Array.isArray(json.keys) || typeof json.kty === 'string') ? text : undefined;
  } catch {
    return undefined;
  }
}

function verificationKey(jwk: Record<string, unknown>): VerificationKey | undefined {
  if (jwk.use === 'enc') return undefined;
  const alg = jwk.alg;
  let algorithms = algorithmsOf(jwk);
  if (typeof alg === 'string') algorithms = algorithms.filter((name) => name === alg);
  if (algorithms.length === 0) return undefined;
  const imported = new Map<string, Promise<CryptoKey | Uint8Array>>();
  return {
    kid: typeof jwk.kid === 'string' ? jwk.kid : undefined,
    algorithms,
    import(algorithm) {
      let key = imported.get(algorithm);
      if (key === undefined) {
        key = importJWK(publicPart(jwk), algorithm);
        imported.set(algorithm, key);
      }
      return key;
    },
  };
}

function algorithmsOf(jwk: Record<string, unknown>): readonly string[] {
  switch (jwk.kty) {
    case 'oct':
      return HMAC;
    case 'RSA':
      return RSA;
    case 'EC':
      return EC[String(jwk.crv)] ?? [];
    case 'OKP':
      return jwk.crv === 'Ed25519' ? ['EdDSA', 'Ed25519'] : [];
    default:
      return [];
  }
}

/** Only what verifying needs: a private key in the set is never imported, and `key_ops` meant for signing do no harm. */
function publicPart(jwk: Record<string, unknown>): JWK {
  const kept: Record<string, unknown> = {};
  for (const name of jwk.kty === 'oct' ? ['kty', 'k'] : ['kty', 'n', 'e', 'crv', 'x', 'y']) {
    if (typeof jwk[name] === 'string') kept[name] = jwk[name];
  }
  return kept;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
