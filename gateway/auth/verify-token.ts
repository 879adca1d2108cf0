import { compactVerify } from 'jose';
import { invalidToken } from './jwt-error.ts';
import { type KeySet, SUPPORTED_ALGORITHMS, type VerificationKey } from './verification-key.ts';

interface TokenHeader {
  readonly alg: string;
  readonly kid: string | undefined;
}

/**
 * Checks a token's signature. Its claims are not looked at here.
 *
 * @returns JSON text of the payload, as signed
 * @throws {GatewayError} `PGRST301` (401), worded as PostgREST words it
 */
export async function verifyToken(token: string, keySet: KeySet): Promise<string> {
  const header = readHeader(token);
  const candidates = keySet.keys.filter((key) => isCandidate(key, header));
  if (candidates.length === 0) throw noKey('No suitable key was found to decode the JWT');
  for (const key of candidates) {
    const payload = await tryKey(token, key, header.alg);
    if (payload !== undefined) return decodeUtf8(payload);
  }
  throw noKey('None of the keys was able to decode the JWT');
}

/** Whether the set has a key that the token could have been signed with; the token itself is not verified. */
export function hasCandidate(token: string, keySet: KeySet): boolean {
  const header = readHeader(token);
  return keySet.keys.some((key) => isCandidate(key, header));
}

function isCandidate(key: VerificationKey, header: TokenHeader): boolean {
  return key.algorithms.includes(header.alg) && (header.kid === undefined || header.kid === key.kid);
}

async function tryKey(
  token: string,
  key: VerificationKey,
  algorithm: string,
): Promise<Uint8Array | undefined> {
  try {
    const verified = await compactVerify(token, await key.import(algorithm), { algorithms: [algorithm] });
    return verified.payload;
  } catch {
    // A wrong key, a broken key and a wrong signature are the same to the client: this key did not do it.
    return undefined;
  }
}

function readHeader(token: string): TokenHeader {
  if (token === '') throw invalidToken('PGRST301', 'Empty JWT is sent in Authorization header');
  const parts = token.split('.');
  if (parts.length !== 3) throw invalidToken('PGRST301', `Expected 3 parts in JWT; got ${parts.length}`);
  const header = parseHeader(parts[0]!);
  if (header === undefined) throw invalidToken('PGRST301', 'JWT cryptographic operation failed');
  const { alg, kid } = header;
  if (typeof alg === 'string' && alg.toLowerCase() === 'none') {
    throw wrongAlgorithm("JWT is unsecured but expected 'alg' was not 'none'");
  }
  if (typeof alg !== 'string' || !SUPPORTED_ALGORITHMS.has(alg)) {
    throw wrongAlgorithm("The 'alg' of the JWT is not supported");
  }
  return { alg, kid: typeof kid === 'string' ? kid : undefined };
}

function parseHeader(part: string): { alg?: unknown; kid?: unknown } | undefined {
  try {
    const json: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalidToken('PGRST303', 'Parsing claims failed');
  }
}

function noKey(details: string): Error {
  return invalidToken('PGRST301', 'No suitable key or wrong key type', details);
}

function wrongAlgorithm(details: string): Error {
  return invalidToken('PGRST301', 'Wrong or unsupported encoding algorithm', details);
}
