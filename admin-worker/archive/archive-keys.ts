import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from 'node:crypto';
import { Secret } from '../../gateway/registry/secrets.ts';
import { ArchiveError } from './archive-error.ts';
import type { Kdf } from './format.ts';

const IV_BYTES = 12;
const TAG_BYTES = 16;
/** 64 MiB and about a third of a second: what an attacker pays for each guess. */
const SCRYPT = { n: 2 ** 16, r: 8, p: 2 } as const;
const DEFAULT_COST = Math.log2(SCRYPT.n);

/** What a passphrase opens. */
export interface ArchiveKeys {
  readonly secrets: Secret<Uint8Array>;
  readonly manifest: Secret<Uint8Array>;
}

/**
 * Keys for a new archive, with the parameters that its header tells.
 *
 * @param cost 2 to the power of it is scrypt's N, 14 to 17; less than the default is for tests
 */
export async function newArchiveKeys(
  passphrase: Secret,
  cost: number = DEFAULT_COST,
): Promise<{ kdf: Kdf; keys: ArchiveKeys }> {
  const kdf = { ...blankKdf(cost), salt: randomBytes(16).toString('hex') };
  const { check, keys } = await derive(passphrase, kdf);
  return { kdf: { ...kdf, check: check.toString('hex') }, keys };
}

/** What `newArchiveKeys` will give, as long as that, before there are keys. */
export function blankKdf(cost: number = DEFAULT_COST): Kdf {
  const p = 2 ** cost < SCRYPT.n ? 1 : SCRYPT.p;
  const blank = '0'.repeat(32);
  return { name: 'scrypt', ...SCRYPT, n: 2 ** cost, p, salt: blank, check: blank };
}

/** @throws {ArchiveError} `wrong-passphrase` */
export async function openArchiveKeys(passphrase: Secret, kdf: Kdf): Promise<ArchiveKeys> {
  const { check, keys } = await derive(passphrase, kdf);
  if (timingSafeEqual(check, Buffer.from(kdf.check, 'hex'))) return keys;
  throw new ArchiveError(
    'wrong-passphrase',
    'The passphrase is not the one that the archive was made with, or its header is damaged',
  );
}

async function derive(
  passphrase: Secret,
  { n, r, p, salt }: Omit<Kdf, 'check'>,
): Promise<{ check: Buffer; keys: ArchiveKeys }> {
  const root = await new Promise<Buffer>((resolve, reject) => {
    scrypt(
      passphrase.reveal().normalize('NFKC'),
      Buffer.from(salt, 'hex'),
      32,
      // The default of maxmem is below what N asks for.
      { N: n, r, p, maxmem: 256 * n * r },
      (error, key) => (error === null ? resolve(key) : reject(error)),
    );
  });
  const key = (use: string, length = 32) => Buffer.from(hkdfSync('sha256', root, '', `caf/1/${use}`, length));
  return {
    check: key('check', 16),
    keys: { secrets: new Secret(key('secrets')), manifest: new Secret(key('manifest')) },
  };
}

/** @param context id of the archive and name of the entry: what is sealed opens at its own place only */
export function sealEntry(plain: Uint8Array, { secrets }: ArchiveKeys, context: string): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', secrets.reveal(), iv).setAAD(Buffer.from(context));
  const text = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), text]);
}

/** @throws {ArchiveError} `not-authentic` */
export function openSealedEntry(sealed: Buffer, { secrets }: ArchiveKeys, context: string): Buffer {
  try {
    const decipher = createDecipheriv('aes-256-gcm', secrets.reveal(), sealed.subarray(0, IV_BYTES));
    decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw new ArchiveError('not-authentic', 'A sealed entry does not open', { cause });
  }
}

export function manifestHmac(manifest: Uint8Array, keys: ArchiveKeys): string {
  return createHmac('sha256', keys.manifest.reveal()).update(manifest).digest('hex');
}
