import { z } from 'zod';
import { ArchiveError } from './archive-error.ts';

/*
 * Cascata Archive Format, version 2. The specification is docs/caf.md; what is written here and there has to agree.
 */

/** What is written. */
export const CAF_VERSION = 2;
/** What is read: version 1 had other digests of tables, and is the same in all else. */
const READ_VERSIONS = [1, CAF_VERSION] as const;

export const HEADER_MEMBER = 'caf.json';
export const MANIFEST_MEMBER = 'manifest.json';
export const SEAL_MEMBER = 'seal.json';
/** Optional. */
export const SIGNATURE_MEMBER = 'signature.json';
export const BLOB_PREFIX = 'blobs/sha256/';

/** Bytes of content in one blob at most. Writer and reader hold a few of them, whatever the size of an archive. */
export const CHUNK_BYTES: number = 4 * 1024 * 1024;
/** What cannot be compressed gets a little larger. */
export const MAX_BLOB_BYTES: number = CHUNK_BYTES + 64 * 1024;
export const MAX_HEADER_BYTES: number = 64 * 1024;
/** Room for about 300,000 chunks, or 120,000 small entries. */
export const MAX_MANIFEST_BYTES: number = 32 * 1024 * 1024;
export const MAX_SEAL_BYTES = 4 * 1024;
export const MAX_SIGNATURE_BYTES = 1024;

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const Size = z.int().min(0);

const Kdf = z.strictObject({
  name: z.literal('scrypt'),
  // Bounded: the parameters come from whoever made the archive, and are our memory and time.
  n: z.union([14, 15, 16, 17].map((bits) => z.literal(2 ** bits))),
  r: z.literal(8),
  p: z.int().min(1).max(4),
  salt: z.string().regex(/^[0-9a-f]{32}$/),
  check: z.string().regex(/^[0-9a-f]{32}$/),
});

const Header = z.strictObject({
  format: z.literal('caf'),
  version: z.literal(READ_VERSIONS),
  id: z.guid(),
  created_at: z.iso.datetime(),
  producer: z.string().max(100),
  /** Id of the tenant at its origin. */
  tenant: z.string().max(63),
  kdf: Kdf,
});
export type ArchiveHeader = z.output<typeof Header>;
export type Kdf = z.output<typeof Kdf>;

const Chunk = z.strictObject({
  sha256: Sha256,
  /** Bytes of the blob. */
  size: Size.max(MAX_BLOB_BYTES),
  /** Bytes of content in it. */
  bytes: Size.min(1).max(CHUNK_BYTES),
});
export type Chunk = z.output<typeof Chunk>;

/** Segments of letters, digits, `_`, `-`, `.` that do not begin with a dot. */
const ENTRY_NAME = /^(?!.{201})[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9_.-]*){0,5}$/;

const Entry = z.strictObject({
  name: z.string().regex(ENTRY_NAME),
  size: Size,
  /** Of the content. */
  sha256: Sha256,
  chunks: z.array(Chunk),
  /** Encrypted under the passphrase. */
  sealed: z.boolean(),
  meta: z.record(z.string(), z.unknown()).optional(),
});
export type ArchiveEntry = z.output<typeof Entry>;

const Manifest = z.strictObject({
  /** Of the member `caf.json`. */
  header: Sha256,
  entries: z.array(Entry),
  /** What the archive says of its content as a whole; whoever wrote it gives it a meaning. */
  content: z.record(z.string(), z.unknown()),
});
export type Manifest = z.output<typeof Manifest>;

const Seal = z.strictObject({ manifest: Sha256, hmac: Sha256 });
export type Seal = z.output<typeof Seal>;

const Signature = z.strictObject({
  /** 32 bytes in base64. */
  key: z.string().regex(/^ed25519:[A-Za-z0-9+/]{43}=$/),
  /** 64 bytes in base64. */
  signature: z.string().regex(/^[A-Za-z0-9+/]{86}==$/),
});
export type Signature = z.output<typeof Signature>;

/** @throws {ArchiveError} `not-an-archive`, `unknown-version` */
export function parseHeader(bytes: Buffer): ArchiveHeader {
  const json = parseJson(bytes, HEADER_MEMBER);
  const about = z.looseObject({ format: z.literal('caf'), version: z.number() }).safeParse(json);
  if (!about.success) throw new ArchiveError('not-an-archive', `${HEADER_MEMBER} is not the header of one`);
  if (!READ_VERSIONS.some((version) => version === about.data.version)) {
    throw new ArchiveError(
      'unknown-version',
      `The archive has version ${about.data.version} of the format; this program knows ${READ_VERSIONS.join(' and ')}`,
    );
  }
  return parsed(Header, json, HEADER_MEMBER);
}

/** @throws {ArchiveError} `damaged` */
export function parseManifest(bytes: Buffer): Manifest {
  return parsed(Manifest, parseJson(bytes, MANIFEST_MEMBER), MANIFEST_MEMBER);
}

/** @throws {ArchiveError} `damaged` */
export function parseSeal(bytes: Buffer): Seal {
  const seal = parsed(Seal, parseJson(bytes, SEAL_MEMBER), SEAL_MEMBER);
  // Nothing but the one way to write it: no byte of an archive can change unnoticed.
  if (!encodeJson({ manifest: seal.manifest, hmac: seal.hmac }).equals(bytes)) {
    throw new ArchiveError('damaged', `${SEAL_MEMBER} is not written as it has to be`);
  }
  return seal;
}

/** @throws {ArchiveError} `damaged` */
export function parseSignature(bytes: Buffer): Signature {
  const { key, signature } = parsed(Signature, parseJson(bytes, SIGNATURE_MEMBER), SIGNATURE_MEMBER);
  const [kind = '', raw = ''] = key.split(':');
  const again = (base64: string) => Buffer.from(base64, 'base64').toString('base64');
  // The last character of base64 has bits that stand for nothing.
  const plain = { key: `${kind}:${again(raw)}`, signature: again(signature) };
  if (!encodeJson(plain).equals(bytes)) {
    throw new ArchiveError('damaged', `${SIGNATURE_MEMBER} is not written as it has to be`);
  }
  return plain;
}

export function encodeJson(value: object): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}

function parseJson(bytes: Buffer, member: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ArchiveError('damaged', `${member} is not JSON`, { cause });
  }
}

function parsed<T extends z.ZodType>(schema: T, json: unknown, member: string): z.output<T> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ArchiveError('damaged', `${member} is not valid at ${issue?.path.join('.') || 'its top'}`);
}
