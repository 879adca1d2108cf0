import { createHash, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { ArchiveError } from './archive-error.ts';
import { type ArchiveKeys, manifestHmac, openArchiveKeys } from './archive-keys.ts';
import { verifySignature } from './archive-signature.ts';
import {
  type ArchiveHeader,
  BLOB_PREFIX,
  HEADER_MEMBER,
  MANIFEST_MEMBER,
  type Manifest,
  parseHeader,
  parseManifest,
  parseSeal,
  parseSignature,
  SEAL_MEMBER,
  SIGNATURE_MEMBER,
} from './format.ts';
import { type Member, readMembers } from './read-members.ts';

/** An archive whose every byte is accounted for; its entries have not been unpacked. */
export interface ScannedArchive {
  readonly header: ArchiveHeader;
  readonly manifest: Manifest;
  readonly keys: ArchiveKeys;
  /** Where the blobs are, by their digests. */
  readonly blobs: ReadonlyMap<string, BlobPlace>;
  /** Public key of the installation that signed it. */
  readonly signedBy: string | undefined;
}

export interface BlobPlace {
  readonly offset: number;
  readonly size: number;
}

export interface ScanLimits {
  /** Bytes of all entries together, unpacked. */
  readonly maxContentBytes: number;
}

export interface ScanOptions {
  readonly passphrase: Secret;
  readonly limits: ScanLimits;
  /** Default: by scrypt, which takes a while on purpose. */
  readonly openKeys?: typeof openArchiveKeys | undefined;
  /** Public keys, one of which has to have signed; absent or empty: nobody has to. */
  readonly trustedKeys?: readonly string[] | undefined;
}

/**
 * Reads an archive once, from a file or as it arrives, and checks all that can be checked without unpacking: that each byte is where
 * the format says, each blob is what its name says, the manifest is the one the passphrase signed, and blobs and manifest agree.
 *
 * @throws {ArchiveError}
 */
export async function scanArchive(
  source: AsyncIterable<Uint8Array>,
  { passphrase, limits, openKeys = openArchiveKeys, trustedKeys = [] }: ScanOptions,
): Promise<ScannedArchive> {
  const members = readMembers(source);
  try {
    const first = await next(members, HEADER_MEMBER);
    const header = parseHeader(first.bytes);
    const { keys, blobs, member } = await besides(openKeys(passphrase, header.kdf), (refuse) =>
      readBlobs(members, refuse),
    );
    if (member.name !== MANIFEST_MEMBER) throw unexpected(member);
    const seal = parseSeal((await next(members, SEAL_MEMBER)).bytes);
    let end = await members.next();
    const signature = end.value?.name === SIGNATURE_MEMBER ? parseSignature(end.value.bytes) : undefined;
    if (signature !== undefined) end = await members.next();
    if (end.done !== true) throw unexpected(end.value);

    const { bytes } = member;
    if (sha256(bytes) !== seal.manifest) {
      throw new ArchiveError('wrong-digest', `${MANIFEST_MEMBER} is not the one that was sealed`);
    }
    if (!timingSafeEqual(Buffer.from(manifestHmac(bytes, keys)), Buffer.from(seal.hmac))) {
      throw new ArchiveError('not-authentic', `${MANIFEST_MEMBER} was not sealed with this passphrase`);
    }
    const manifest = parseManifest(bytes);
    if (manifest.header !== sha256(first.bytes)) {
      throw new ArchiveError('wrong-digest', `${HEADER_MEMBER} is not the one that the manifest names`);
    }
    compare(manifest, blobs, limits);
    if (signature !== undefined) verifySignature(signature, seal.manifest);
    refuseUntrusted(signature?.key, trustedKeys);
    return { header, manifest, keys, blobs, signedBy: signature?.key };
  } finally {
    await members.return(undefined);
  }
}

/** Reads on while the keys are being made, which takes a while on purpose. A wrong passphrase is told before all that is wrong with what comes after the header. */
async function besides<T>(
  opening: Promise<ArchiveKeys>,
  read: (refuse: () => void) => Promise<T>,
): Promise<T & { readonly keys: ArchiveKeys }> {
  let problem: unknown;
  opening.catch((error: unknown) => {
    problem = error;
  });
  try {
    const found = await read(() => {
      if (problem !== undefined) throw problem;
    });
    return { ...found, keys: await opening };
  } catch (error) {
    await opening;
    throw error;
  }
}

/** @returns the places of all blobs, and the member behind them */
async function readBlobs(
  members: AsyncGenerator<Member>,
  refuse: () => void,
): Promise<{ readonly blobs: ReadonlyMap<string, BlobPlace>; readonly member: Member }> {
  const blobs = new Map<string, BlobPlace>();
  for (;;) {
    const member = await next(members);
    if (!member.name.startsWith(BLOB_PREFIX)) return { blobs, member };
    addBlob(blobs, member);
    refuse();
  }
}

function refuseUntrusted(key: string | undefined, trustedKeys: readonly string[]): void {
  if (trustedKeys.length === 0) return;
  if (key === undefined) {
    throw new ArchiveError(
      'not-signed',
      'The archive has no signature, and this installation takes none without',
    );
  }
  if (trustedKeys.includes(key)) return;
  throw new ArchiveError(
    'untrusted-key',
    `The archive was signed by ${key}, which is not among the trusted keys`,
  );
}

/** The header alone, from the first bytes of an archive. @throws {ArchiveError} */
export async function readArchiveHeader(source: AsyncIterable<Uint8Array>): Promise<ArchiveHeader> {
  const members = readMembers(source);
  try {
    return parseHeader((await next(members, HEADER_MEMBER)).bytes);
  } finally {
    await members.return(undefined);
  }
}

async function next(members: AsyncGenerator<Member>, name?: string): Promise<Member> {
  const { done, value } = await members.next();
  if (done === true) {
    throw new ArchiveError('missing-member', `The archive has no ${name ?? MANIFEST_MEMBER}`);
  }
  if (name === undefined || value.name === name) return value;
  if (name === HEADER_MEMBER) {
    throw new ArchiveError('not-an-archive', `The archive does not begin with ${HEADER_MEMBER}`);
  }
  throw unexpected(value);
}

function unexpected({ name }: Member): ArchiveError {
  return new ArchiveError('unexpected-member', `The member ${name} is not where the format has it`);
}

function addBlob(blobs: Map<string, BlobPlace>, { name, offset, size, sha256: found }: Member): void {
  const digest = name.slice(BLOB_PREFIX.length);
  if (found !== digest) {
    throw new ArchiveError('wrong-digest', `The member ${name} does not hold what its name says`);
  }
  if (blobs.has(digest)) throw new ArchiveError('duplicate-member', `The member ${name} is there twice`);
  blobs.set(digest, { offset, size });
}

function compare(
  { entries }: Manifest,
  blobs: ReadonlyMap<string, BlobPlace>,
  { maxContentBytes }: ScanLimits,
): void {
  const names = new Set<string>();
  const unused = new Set(blobs.keys());
  let total = 0;
  for (const { name, size, chunks } of entries) {
    if (names.has(name))
      throw new ArchiveError('duplicate-member', `The manifest has the entry ${name} twice`);
    names.add(name);
    let bytes = 0;
    for (const chunk of chunks) {
      const blob = blobs.get(chunk.sha256);
      if (blob === undefined) {
        throw new ArchiveError('missing-member', `A part of the entry ${name} is missing: ${chunk.sha256}`);
      }
      if (blob.size !== chunk.size) {
        throw new ArchiveError('wrong-size', `A part of the entry ${name} has another size: ${chunk.sha256}`);
      }
      unused.delete(chunk.sha256);
      bytes += chunk.bytes;
    }
    if (bytes !== size) throw new ArchiveError('wrong-size', `The entry ${name} is not the sum of its parts`);
    total += size;
    if (total > maxContentBytes) {
      throw new ArchiveError('too-large', `The archive unpacks to more than ${maxContentBytes} bytes`);
    }
  }
  const [stray] = unused;
  if (stray !== undefined) {
    throw new ArchiveError('not-in-manifest', `The member ${BLOB_PREFIX}${stray} is not in the manifest`);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
