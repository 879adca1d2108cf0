import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { ArchiveError } from '../../archive/archive-error.ts';
import { ArchiveFile } from '../../archive/archive-file.ts';
import { openArchiveKeys } from '../../archive/archive-keys.ts';
import type { ArchiveSigner } from '../../archive/archive-signature.ts';
import { ArchiveWriter, type Bytes } from '../../archive/archive-writer.ts';
import { encodeTarHeader, paddingOf } from '../../archive/tar-block.ts';

export const PASSPHRASE: Secret = new Secret('correct horse battery staple');
/** Cheap scrypt, for tests that make many archives. */
const COST = 14;

/** Keys by passphrase and parameters: the same archive is opened hundreds of times. */
const derived = new Map<string, ReturnType<typeof openArchiveKeys>>();
const openKeys: typeof openArchiveKeys = (passphrase, kdf) => {
  const id = JSON.stringify([passphrase.reveal(), kdf]);
  const keys = derived.get(id) ?? openArchiveKeys(passphrase, kdf);
  derived.set(id, keys);
  return keys;
};

export interface NewEntry {
  readonly name: string;
  readonly content: Bytes;
  readonly meta?: Readonly<Record<string, unknown>>;
  readonly isSealed?: boolean;
}

/** A whole archive in memory. */
export async function anArchive(entries: readonly NewEntry[], signer?: ArchiveSigner): Promise<Buffer> {
  const parts: Buffer[] = [];
  const writer = await ArchiveWriter.begin(async (bytes) => void parts.push(Buffer.from(bytes)), {
    tenant: 'acme',
    passphrase: PASSPHRASE,
    createdAt: new Date(0),
    producer: 'test',
    cost: COST,
    signer,
  });
  for (const { name, content, meta, isSealed } of entries) {
    if (isSealed === true) await writer.addSealed(name, await bytesOf(content));
    else await writer.add(name, content, meta);
  }
  await writer.finish({ kind: 'test' });
  return Buffer.concat(parts);
}

export async function bytesOf(content: Bytes): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(piece);
  return Buffer.concat(pieces);
}

export interface OpenOptions {
  readonly passphrase?: Secret;
  readonly maxContentBytes?: number;
  readonly trustedKeys?: readonly string[];
}

/** Opens an archive as a file, and verifies all of it before `use`. */
export async function withArchive<T>(
  bytes: Uint8Array,
  use: (archive: ArchiveFile) => Promise<T>,
  { passphrase = PASSPHRASE, maxContentBytes = 2 ** 40, trustedKeys }: OpenOptions = {},
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'cascata-archive-'));
  try {
    const path = join(directory, 'test.caf');
    await writeFile(path, bytes);
    const archive = await ArchiveFile.open(path, {
      passphrase,
      limits: { maxContentBytes },
      openKeys,
      trustedKeys,
    });
    try {
      await archive.verify();
      return await use(archive);
    } finally {
      await archive.close();
    }
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Why an archive is refused; `accepted` when it is not. */
export async function verdictOn(bytes: Uint8Array, options: OpenOptions = {}): Promise<string> {
  try {
    return await withArchive(bytes, async () => 'accepted', options);
  } catch (error) {
    if (error instanceof ArchiveError) return error.problem;
    throw error;
  }
}

/** One member as the format writes it. */
export function aMember(name: string, bytes: Uint8Array): Buffer {
  return Buffer.concat([encodeTarHeader(name, bytes.length), bytes, Buffer.alloc(paddingOf(bytes.length))]);
}

/** A blob with its own name. */
export function aBlob(bytes: Uint8Array): Buffer {
  return aMember(`blobs/sha256/${createHash('sha256').update(bytes).digest('hex')}`, bytes);
}

/** The members of a well-formed archive, each with its header and padding. */
export function membersOf(archive: Buffer): { name: string; bytes: Buffer; raw: Buffer }[] {
  const members: { name: string; bytes: Buffer; raw: Buffer }[] = [];
  let at = 0;
  while (archive[at] !== 0) {
    const name = archive.toString('latin1', at, archive.indexOf(0, at));
    const size = Number.parseInt(archive.toString('latin1', at + 124, at + 135), 8);
    const end = at + 512 + size + paddingOf(size);
    members.push({
      name,
      bytes: archive.subarray(at + 512, at + 512 + size),
      raw: archive.subarray(at, end),
    });
    at = end;
  }
  return members;
}

/** Bytes that cannot be compressed. */
export function noise(size: number): Buffer {
  return randomBytes(size);
}

export const END: Buffer = Buffer.alloc(1024);
