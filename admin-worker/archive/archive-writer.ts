import { createHash, randomUUID } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { type ArchiveKeys, blankKdf, manifestHmac, newArchiveKeys, sealEntry } from './archive-keys.ts';
import { type ArchiveOutput, outputTo, outputToFile, type Sink } from './archive-output.ts';
import type { ArchiveSigner } from './archive-signature.ts';
import { type FillingSource, filledChunks } from './chunk-source.ts';
import {
  type ArchiveEntry,
  type ArchiveHeader,
  BLOB_PREFIX,
  CAF_VERSION,
  CHUNK_BYTES,
  type Chunk,
  encodeJson,
  HEADER_MEMBER,
  type Kdf,
  MANIFEST_MEMBER,
  MAX_MANIFEST_BYTES,
  SEAL_MEMBER,
  SIGNATURE_MEMBER,
} from './format.ts';
import { inChunks } from './in-chunks.ts';
import { release } from './release.ts';
import { BLOCK_BYTES, encodeTarHeader, paddingOf } from './tar-block.ts';
import { type OwnBuffer, type Packed, Zstd } from './zstd.ts';

export interface NewArchive {
  /** Id of the tenant. */
  readonly tenant: string;
  readonly passphrase: Secret;
  readonly createdAt: Date;
  readonly producer: string;
  /** Absent: the archive is not signed. */
  readonly signer?: ArchiveSigner | undefined;
  /** See `newArchiveKeys`. */
  readonly cost?: number;
  /** In place of new keys; for tests that make many archives. */
  readonly keys?: Awaited<ReturnType<typeof newArchiveKeys>> | undefined;
}

export type Bytes = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export interface ArchiveDigest {
  readonly id: string;
  readonly size: number;
  /** Of the whole file, as hexadecimal. */
  readonly sha256: string;
}

/** Blobs compressed ahead of the one that is being written. */
const AHEAD = 2;

interface Begun {
  readonly keys: ArchiveKeys;
  /** SHA-256 of the header. */
  readonly header: string;
}

/**
 * Writes an archive from its beginning to its end, with a few chunks in memory. What throws in between leaves half an archive, which no
 * reader takes.
 */
export class ArchiveWriter {
  readonly #id = randomUUID();
  readonly #output: ArchiveOutput;
  readonly #signer: ArchiveSigner | undefined;
  readonly #begun: Promise<Begun>;
  readonly #blobs = new Set<string>();
  readonly #entries: ArchiveEntry[] = [];
  /** Memory for chunks that is free; there is as much as there are chunks at once. */
  readonly #rooms: OwnBuffer[] = [];
  readonly #zstd = new Zstd();

  private constructor(archive: NewArchive, outputWith: (headerBytes: number) => ArchiveOutput) {
    const headerWith = (kdf: Kdf): ArchiveHeader => ({
      format: 'caf',
      version: CAF_VERSION,
      id: this.#id,
      created_at: archive.createdAt.toISOString(),
      producer: archive.producer,
      tenant: archive.tenant,
      kdf,
    });
    this.#signer = archive.signer;
    const blank = encodeJson(headerWith(archive.keys?.kdf ?? blankKdf(archive.cost)));
    const output = outputWith(memberOf(HEADER_MEMBER, blank).length);
    this.#output = output;
    this.#begun = (async () => {
      const { kdf, keys } = archive.keys ?? (await newArchiveKeys(archive.passphrase, archive.cost));
      const header = encodeJson(headerWith(kdf));
      await output.begin(memberOf(HEADER_MEMBER, header));
      return { keys, header: sha256(header) };
    })();
    // Heard where it is awaited; a failure before that must not count as unheard.
    this.#begun.catch(() => undefined);
  }

  /** Resolves when the keys are there, which takes a while on purpose. */
  static async begin(sink: Sink, archive: NewArchive): Promise<ArchiveWriter> {
    const writer = new ArchiveWriter(archive, () => outputTo(sink));
    await writer.#begun;
    return writer;
  }

  /** Takes entries at once: the header, which says by which keys, comes to the file's beginning when they are there. What is sealed waits for them. */
  static onFile(file: FileHandle, archive: NewArchive): ArchiveWriter {
    return new ArchiveWriter(archive, (headerBytes) => outputToFile(file, headerBytes));
  }

  /** Adds an entry; content that is there already takes no room. @param meta goes into the manifest, in clear */
  async add(name: string, content: Bytes, meta?: Readonly<Record<string, unknown>>): Promise<ArchiveEntry> {
    const chunks = inChunks(content, CHUNK_BYTES, () => this.#room());
    return this.#add(name, chunks, { sealed: false, ...(meta === undefined ? {} : { meta }) });
  }

  /** Adds an entry of what comes as `FillingSource` says. */
  async addFilled(name: string, source: FillingSource): Promise<ArchiveEntry> {
    const chunks = filledChunks(source, {
      size: CHUNK_BYTES,
      room: () => this.#room(),
      unused: (room) => void this.#rooms.push(room),
    });
    return this.#add(name, chunks, { sealed: false });
  }

  /** Adds an entry that only the passphrase opens. It is held in memory. */
  async addSealed(name: string, plain: Uint8Array): Promise<ArchiveEntry> {
    const { keys } = await this.#begun;
    const sealed = sealEntry(plain, keys, `${this.#id}/${name}`);
    return this.#add(
      name,
      inChunks([sealed], CHUNK_BYTES, () => this.#room()),
      { sealed: true },
    );
  }

  /** @param content goes into the manifest, in clear */
  async finish(content: Readonly<Record<string, unknown>>): Promise<ArchiveDigest> {
    const { keys, header } = await this.#begun;
    const manifest = encodeJson({ header, entries: this.#entries, content });
    if (manifest.length > MAX_MANIFEST_BYTES) {
      throw new RangeError(
        `The manifest would have ${manifest.length} bytes: too many files for one archive`,
      );
    }
    await this.#member(MANIFEST_MEMBER, manifest);
    const seal = { manifest: sha256(manifest), hmac: manifestHmac(manifest, keys) };
    await this.#member(SEAL_MEMBER, encodeJson(seal));
    const signature = this.#signer?.sign(seal.manifest);
    if (signature !== undefined) await this.#member(SIGNATURE_MEMBER, encodeJson(signature));
    await this.#output.append(Buffer.alloc(2 * BLOCK_BYTES));
    return { id: this.#id, ...(await this.#output.end()) };
  }

  /** To be called in the end, whatever has happened; nothing is written any more after it. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#begun, this.#zstd.close()]);
    for (const room of this.#rooms.splice(0)) release(room);
  }

  async #add(
    name: string,
    content: AsyncIterable<OwnBuffer>,
    about: Pick<ArchiveEntry, 'sealed' | 'meta'>,
  ): Promise<ArchiveEntry> {
    const packer = this.#zstd.entry();
    const chunks: Chunk[] = [];
    const ahead: { bytes: number; packed: Promise<Packed> }[] = [];
    let size = 0;
    const storeNext = async () => {
      const { bytes, packed } = ahead.shift()!;
      const { blob, sha256, room } = await packed;
      this.#rooms.push(room);
      chunks.push({ sha256, size: blob.length, bytes });
      if (!this.#blobs.has(sha256)) {
        this.#blobs.add(sha256);
        await this.#member(BLOB_PREFIX + sha256, blob);
      }
      release(blob);
    };
    for await (const chunk of content) {
      const bytes = chunk.length;
      size += bytes;
      const packed = packer.pack(chunk);
      // Heard where it is awaited; a failure before that must not count as unheard.
      packed.catch(() => undefined);
      ahead.push({ bytes, packed });
      if (ahead.length >= AHEAD) await storeNext();
    }
    while (ahead.length > 0) await storeNext();
    const entry: ArchiveEntry = { name, size, sha256: await packer.digest(), chunks, ...about };
    this.#entries.push(entry);
    return entry;
  }

  #room(): OwnBuffer {
    return this.#rooms.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
  }

  async #member(name: string, bytes: Buffer): Promise<void> {
    await this.#output.append(encodeTarHeader(name, bytes.length));
    await this.#output.append(bytes);
    const padding = paddingOf(bytes.length);
    if (padding > 0) await this.#output.append(Buffer.alloc(padding));
  }
}

function memberOf(name: string, bytes: Buffer): Buffer {
  return Buffer.concat([encodeTarHeader(name, bytes.length), bytes, Buffer.alloc(paddingOf(bytes.length))]);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
