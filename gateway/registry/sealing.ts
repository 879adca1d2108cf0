import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { Secret } from './secrets.ts';

export interface SealOptions {
  /** `CASCATA_MASTER_KEY`. */
  readonly masterKey: Secret;
  /**
   * Identity of the row and column, e.g. `tenants/acme/jwt`. It is authenticated with the text, so that a sealed value
   * copied into another row does not open there.
   */
  readonly context: string;
}

const PREFIX = 'v1.';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals a value with AES-256-GCM under a key derived from the master key.
 *
 * @returns `v1.` and the base64url of IV, tag and ciphertext
 */
export function seal(plain: string | Uint8Array, { masterKey, context }: SealOptions): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', sealingKey(masterKey), iv);
  cipher.setAAD(Buffer.from(context, 'utf8'));
  const text = Buffer.concat([
    cipher.update(plain instanceof Uint8Array ? plain : Buffer.from(plain, 'utf8')),
    cipher.final(),
  ]);
  return PREFIX + Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url');
}

/**
 * Opens what `seal` made.
 *
 * @throws {SealError} when the master key or the context is another one, or the text was changed
 */
export function unseal(sealed: string, { masterKey, context }: SealOptions): Uint8Array {
  if (!sealed.startsWith(PREFIX)) throw new SealError(context);
  const bytes = Buffer.from(sealed.slice(PREFIX.length), 'base64url');
  if (bytes.length < IV_BYTES + TAG_BYTES) throw new SealError(context);
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(masterKey), bytes.subarray(0, IV_BYTES));
  decipher.setAAD(Buffer.from(context, 'utf8'));
  decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  try {
    return new Uint8Array(
      Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]),
    );
  } catch (cause) {
    throw new SealError(context, cause);
  }
}

/** `unseal` for values that are text. */
export function unsealText(sealed: string, options: SealOptions): string {
  return Buffer.from(unseal(sealed, options)).toString('utf8');
}

/** A sealed value did not open. */
export class SealError extends Error {
  override readonly name = 'SealError';

  constructor(context: string, cause?: unknown) {
    super(
      `The sealed value '${context}' cannot be opened: CASCATA_MASTER_KEY is not the one it was sealed with, or it was changed`,
      cause === undefined ? undefined : { cause },
    );
  }
}

function sealingKey(masterKey: Secret): Uint8Array {
  // The master key is random and long already, so a fast derivation is enough; it only separates the uses of the key.
  return new Uint8Array(hkdfSync('sha256', masterKey.reveal(), '', 'cascata/seal/v1', 32));
}
