import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { ArchiveError } from './archive-error.ts';
import type { Signature } from './format.ts';

/** Makes signatures of an installation. */
export interface ArchiveSigner {
  /** `ed25519:` and the base64 of 32 bytes. */
  readonly publicKey: string;
  /** @param manifest SHA-256 of the manifest, hexadecimal */
  sign(manifest: string): Signature;
}

const NAME = 'ed25519:';
/** What stands before a raw public key in its DER form (SubjectPublicKeyInfo of RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** @param key PKCS#8 PEM of an Ed25519 key. @throws {TypeError} for any other */
export function archiveSigner(key: Secret): ArchiveSigner {
  const privateKey = privateKeyOf(key.reveal());
  const publicKey = publicKeyText(createPublicKey(privateKey));
  return {
    publicKey,
    sign: (manifest) => ({
      key: publicKey,
      signature: sign(null, signedText(manifest), privateKey).toString('base64'),
    }),
  };
}

function privateKeyOf(pem: string): KeyObject {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType !== 'ed25519') throw new TypeError('not an Ed25519 key');
  return key;
}

/** @throws {ArchiveError} `wrong-signature` */
export function verifySignature({ key, signature }: Signature, manifest: string): void {
  const raw = Buffer.from(key.slice(NAME.length), 'base64');
  let isGood = false;
  try {
    const publicKey = createPublicKey({
      key: Buffer.concat([SPKI_PREFIX, raw]),
      format: 'der',
      type: 'spki',
    });
    isGood = verify(null, signedText(manifest), publicKey, Buffer.from(signature, 'base64'));
  } catch {
    // Bytes that are no key sign nothing.
  }
  if (!isGood) throw new ArchiveError('wrong-signature', `The archive was not signed by the key ${key}`);
}

function publicKeyText(key: KeyObject): string {
  const der = key.export({ format: 'der', type: 'spki' });
  return NAME + der.subarray(SPKI_PREFIX.length).toString('base64');
}

function signedText(manifest: string): Buffer {
  return Buffer.from(`caf/1/signature/${manifest}`);
}
