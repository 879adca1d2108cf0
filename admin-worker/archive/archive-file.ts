import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { ArchiveError } from './archive-error.ts';
import { openSealedEntry } from './archive-keys.ts';
import { piecesOfFile } from './file-pieces.ts';
import type { ArchiveEntry, Chunk } from './format.ts';
import { releasing } from './release.ts';
import { type ScannedArchive, type ScanOptions, scanArchive } from './scan-archive.ts';
import { Zstd } from './zstd.ts';

/** Sealed entries are read into memory. */
const MAX_SEALED_BYTES = 64 * 1024 * 1024;

export interface OpenArchiveOptions extends ScanOptions {
  readonly signal?: AbortSignal;
}

/** An archive on disk that has been scanned. Its entries are read by place, each checked again as it is read. */
export class ArchiveFile {
  readonly scanned: ScannedArchive;
  readonly #handle: FileHandle;
  readonly #zstd = new Zstd();

  private constructor(scanned: ScannedArchive, handle: FileHandle) {
    this.scanned = scanned;
    this.#handle = handle;
  }

  /** @throws {ArchiveError} see `scanArchive` */
  static async open(path: string, { signal, ...options }: OpenArchiveOptions): Promise<ArchiveFile> {
    const handle = await open(path, 'r');
    try {
      return new ArchiveFile(await scanArchive(piecesOfFile(handle, signal), options), handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get entries(): readonly ArchiveEntry[] {
    return this.scanned.manifest.entries;
  }

  /** @throws {ArchiveError} `missing-member` */
  entry(name: string): ArchiveEntry {
    const found = this.entries.find((entry) => entry.name === name);
    if (found === undefined) throw new ArchiveError('missing-member', `The archive has no entry ${name}`);
    return found;
  }

  /** The content of an entry; its last piece comes only if all of it has the digest that the manifest names. @throws {ArchiveError} */
  async *read(entry: ArchiveEntry): AsyncGenerator<Buffer> {
    const digest = createHash('sha256');
    let held: Buffer | undefined;
    for await (const content of this.#chunks(entry)) {
      if (held !== undefined) yield held;
      held = content;
      digest.update(held);
    }
    if (digest.digest('hex') !== entry.sha256) {
      throw new ArchiveError('wrong-digest', `The entry ${entry.name} is not what the manifest says`);
    }
    if (held !== undefined) yield held;
  }

  /** What `ArchiveWriter.addSealed` was given. @throws {ArchiveError} */
  async readSealed(name: string): Promise<Buffer> {
    const entry = this.entry(name);
    if (!entry.sealed) throw new ArchiveError('not-authentic', `The entry ${name} is not sealed`);
    const { header, keys } = this.scanned;
    return openSealedEntry(await this.#whole(entry), keys, `${header.id}/${name}`);
  }

  /** A small entry as text. @throws {ArchiveError} */
  async readText(name: string): Promise<string> {
    return (await this.#whole(this.entry(name))).toString('utf8');
  }

  /** Unpacks entries once, so that nothing is left to be found out later. @param options.except name of one that is not to be @throws {ArchiveError} */
  async verify(
    options: { readonly except?: string; onBytes?(bytes: number): Promise<void> } = {},
  ): Promise<void> {
    for (const entry of this.entries) {
      if (entry.name === options.except) continue;
      for await (const piece of releasing(this.read(entry))) await options.onBytes?.(piece.length);
    }
  }

  async close(): Promise<void> {
    await this.#zstd.close();
    await this.#handle.close();
  }

  async #whole(entry: ArchiveEntry): Promise<Buffer> {
    if (entry.size > MAX_SEALED_BYTES) {
      throw new ArchiveError('too-large', `The entry ${entry.name} has ${entry.size} bytes`);
    }
    const pieces: Buffer[] = [];
    for await (const piece of this.read(entry)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  /** Unpacks one chunk ahead of the one that is being used. */
  async *#chunks(entry: ArchiveEntry): AsyncGenerator<Buffer> {
    let ahead: Promise<Buffer> | undefined;
    for (const chunk of entry.chunks) {
      const next = this.#chunk(entry, chunk);
      // Heard where it is awaited; a failure before that must not count as unheard.
      next.catch(() => undefined);
      if (ahead !== undefined) yield await ahead;
      ahead = next;
    }
    if (ahead !== undefined) yield await ahead;
  }

  /** Blobs were compared with their digests when the archive was scanned; what changed since then does not get past the entry's. */
  async #chunk({ name }: ArchiveEntry, { sha256, bytes }: Chunk): Promise<Buffer> {
    const { offset, size } = this.scanned.blobs.get(sha256)!;
    const fill = async (blob: Buffer) => {
      const { bytesRead } = await this.#handle.read(blob, 0, size, offset);
      if (bytesRead === size) return;
      throw new ArchiveError('wrong-digest', `A part of the entry ${name} is no longer what it was`);
    };
    let content: Buffer;
    try {
      // One byte more than told would be one too many: a bomb stops here.
      content = await this.#zstd.unpack({ blob: size, content: bytes }, fill);
    } catch (cause) {
      if (cause instanceof ArchiveError) throw cause;
      throw new ArchiveError(
        'wrong-size',
        `A part of the entry ${name} cannot be unpacked to ${bytes} bytes`,
        { cause },
      );
    }
    if (content.length === bytes) return content;
    throw new ArchiveError('wrong-size', `A part of the entry ${name} has other than ${bytes} bytes`);
  }
}
