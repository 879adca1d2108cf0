import { createHash, randomUUID } from 'node:crypto';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { type ArchiveKeys, manifestHmac, newArchiveKeys, sealEntry } from './archive-keys.ts';
import type { ArchiveSigner } from './archive-signature.ts';
import {
  type ArchiveEntry,
  type ArchiveHeader,
  BLOB_PREFIX,
  CAF_VERSION,
  CHUNK_BYTES,
  type Chunk,
  encodeJson,
  HEADER_MEMBER,
  MANIFEST_MEMBER,
  MAX_MANIFEST_BYTES,
  SEAL_MEMBER,
  SIGNATURE_MEMBER,
} from './format.ts';
import { inChunks } from './in-chunks.ts';
import { release } from './release.ts';
import { BLOCK_BYTES, encodeTarHeader, paddingOf } from './tar-block.ts';
import { newSlot, type Slot, Zstd } from './zstd.ts';

/** Takes bytes and resolves when it needs them no more: their memory is used again. */
export type Sink = (bytes: Uint8Array) => Promise<unknown>;

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

/**
 * Writes an archive from its beginning to its end, with a few chunks in memory. What throws in between leaves half an archive, which no
 * reader takes.
 */
export class ArchiveWriter {
  readonly header: ArchiveHeader;
  readonly #keys: ArchiveKeys;
  readonly #sink: Sink;
  readonly #signer: ArchiveSigner | undefined;
  readonly #digest = createHash('sha256');
  readonly #blobs = new Set<string>();
  readonly #entries: ArchiveEntry[] = [];
  /** Free ones; there are as many as there are chunks at once. */
  readonly #slots: Slot[] = [];
  readonly #zstd = new Zstd();
  #headerDigest = '';
  #size = 0;

  private constructor(
    header: ArchiveHeader,
    options: { keys: ArchiveKeys; sink: Sink; signer: ArchiveSigner | undefined },
  ) {
    this.header = header;
    this.#keys = options.keys;
    this.#sink = options.sink;
    this.#signer = options.signer;
  }

  static async begin(sink: Sink, archive: NewArchive): Promise<ArchiveWriter> {
    const { kdf, keys } = archive.keys ?? (await newArchiveKeys(archive.passphrase, archive.cost));
    const header: ArchiveHeader = {
      format: 'caf',
      version: CAF_VERSION,
      id: randomUUID(),
      created_at: archive.createdAt.toISOString(),
      producer: archive.producer,
      tenant: archive.tenant,
      kdf,
    };
    const writer = new ArchiveWriter(header, { keys, sink, signer: archive.signer });
    const bytes = encodeJson(header);
    writer.#headerDigest = sha256(bytes);
    await writer.#member(HEADER_MEMBER, bytes);
    return writer;
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  /** Adds an entry; content that is there already takes no room. @param meta goes into the manifest, in clear */
  async add(name: string, content: Bytes, meta?: Readonly<Record<string, unknown>>): Promise<ArchiveEntry> {
    return this.#add(name, content, { sealed: false, ...(meta === undefined ? {} : { meta }) });
  }

  /** Adds an entry that only the passphrase opens. It is held in memory. */
  async addSealed(name: string, plain: Uint8Array): Promise<ArchiveEntry> {
    const sealed = sealEntry(plain, this.#keys, `${this.header.id}/${name}`);
    return this.#add(name, [sealed], { sealed: true });
  }

  /** @param content goes into the manifest, in clear */
  async finish(content: Readonly<Record<string, unknown>>): Promise<ArchiveDigest> {
    const manifest = encodeJson({ header: this.#headerDigest, entries: this.#entries, content });
    if (manifest.length > MAX_MANIFEST_BYTES) {
      throw new RangeError(
        `The manifest would have ${manifest.length} bytes: too many files for one archive`,
      );
    }
    await this.#member(MANIFEST_MEMBER, manifest);
    const seal = { manifest: sha256(manifest), hmac: manifestHmac(manifest, this.#keys) };
    await this.#member(SEAL_MEMBER, encodeJson(seal));
    const signature = this.#signer?.sign(seal.manifest);
    if (signature !== undefined) await this.#member(SIGNATURE_MEMBER, encodeJson(signature));
    await this.#write(Buffer.alloc(2 * BLOCK_BYTES));
    return { id: this.header.id, size: this.#size, sha256: this.#digest.digest('hex') };
  }

  /** To be called in the end, whatever has happened. */
  close(): Promise<void> {
    return this.#zstd.close();
  }

  async #add(
    name: string,
    content: Bytes,
    about: Pick<ArchiveEntry, 'sealed' | 'meta'>,
  ): Promise<ArchiveEntry> {
    const digest = createHash('sha256');
    const chunks: Chunk[] = [];
    const ahead: { slot: Slot; bytes: number; packed: Promise<Buffer> }[] = [];
    let size = 0;
    const storeNext = async () => {
      const { slot, bytes, packed } = ahead.shift()!;
      const blob = await packed;
      chunks.push(await this.#store(blob, bytes));
      release(blob);
      this.#slots.push(slot);
    };
    let filling: Slot | undefined;
    const room = () => {
      filling = this.#slots.pop() ?? newSlot();
      return filling.chunk;
    };
    for await (const chunk of inChunks(content, CHUNK_BYTES, room)) {
      digest.update(chunk);
      const bytes = chunk.length;
      size += bytes;
      const slot = filling!;
      const packed = this.#zstd.pack(slot, bytes);
      // Heard where it is awaited; a failure before that must not count as unheard.
      packed.catch(() => undefined);
      ahead.push({ slot, bytes, packed });
      if (ahead.length >= AHEAD) await storeNext();
    }
    while (ahead.length > 0) await storeNext();
    const entry: ArchiveEntry = { name, size, sha256: digest.digest('hex'), chunks, ...about };
    this.#entries.push(entry);
    return entry;
  }

  async #store(blob: Buffer, bytes: number): Promise<Chunk> {
    const chunk = { sha256: sha256(blob), size: blob.length, bytes };
    if (!this.#blobs.has(chunk.sha256)) {
      this.#blobs.add(chunk.sha256);
      await this.#member(BLOB_PREFIX + chunk.sha256, blob);
    }
    return chunk;
  }

  async #member(name: string, bytes: Buffer): Promise<void> {
    await this.#write(encodeTarHeader(name, bytes.length));
    await this.#write(bytes);
    const padding = paddingOf(bytes.length);
    if (padding > 0) await this.#write(Buffer.alloc(padding));
  }

  async #write(bytes: Buffer): Promise<void> {
    this.#digest.update(bytes);
    this.#size += bytes.length;
    await this.#sink(bytes);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
