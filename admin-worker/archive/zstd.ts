import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { limitConcurrency } from '../containers/limit-concurrency.ts';
import { CHUNK_BYTES, MAX_BLOB_BYTES } from './format.ts';
import { release } from './release.ts';
import type { ZstdAnswer, ZstdTask } from './zstd-thread.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
/** As in the thread. */
const PARAMS = { [constants.ZSTD_c_compressionLevel]: 1 };
/** More than zstd adds to what it cannot compress. */
const MORE_BYTES = MAX_BLOB_BYTES - CHUNK_BYTES;
/** Less than this is not worth a thread. */
const THREAD_BYTES = 1024 * 1024;
/** Of its own heap, which holds next to nothing. */
const THREAD_LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 };
/** Chunks that are unpacked, or wait for it. */
const UNPACKING = 2;

/** Memory of its own, so that it can go to the thread. */
export type OwnBuffer = Buffer<ArrayBuffer>;

export interface Packed {
  /** In memory of its own. */
  readonly blob: OwnBuffer;
  /** Of the blob. */
  readonly sha256: string;
  /** The memory that the chunk was in. */
  readonly room: OwnBuffer;
}

/** Packs the chunks of one entry, in their order. */
export interface EntryPacker {
  /** @param chunk at the beginning of its memory, which is the packer's until it comes back */
  pack(chunk: OwnBuffer): Promise<Packed>;
  /** SHA-256 of all chunks so far. */
  digest(): Promise<string>;
}

/**
 * Packs and unpacks chunks. Large ones go through a thread, which hashes them as well: their memory is moved there and back, and what is not needed any more is released at once.
 * The thread begins with the first of them and ends by `close`, or with the process.
 */
export class Zstd {
  #thread: Worker | undefined;
  #problem: unknown;
  readonly #asked: ((answer: ZstdAnswer) => void)[] = [];
  readonly #unpacking = limitConcurrency(UNPACKING);

  /** For one entry at a time. */
  entry(): EntryPacker {
    let packer: EntryPacker | undefined;
    return {
      pack: (chunk) => {
        packer ??= chunk.length < THREAD_BYTES ? new SmallEntry() : this.#largeEntry();
        return packer.pack(chunk);
      },
      digest: () => (packer ?? new SmallEntry()).digest(),
    };
  }

  /**
   * @param sizes bytes of the blob, and of the content at most: one more fails
   * @param fill puts the blob where it is told
   * @returns the content, in memory of its own
   */
  async unpack(
    sizes: { readonly blob: number; readonly content: number },
    fill: (blob: Buffer) => Promise<void>,
  ): Promise<Buffer> {
    if (sizes.content < THREAD_BYTES) {
      const blob = Buffer.allocUnsafe(sizes.blob);
      await fill(blob);
      return decompress(blob, { chunkSize: sizes.content + MORE_BYTES, maxOutputLength: sizes.content });
    }
    return this.#unpacking(async () => {
      const blob = Buffer.allocUnsafeSlow(sizes.blob);
      await fill(blob);
      const { bytes, room } = await this.#ask({ kind: 'unpack', blob, maxBytes: sizes.content }, blob.buffer);
      if (room !== undefined) release(new Uint8Array(room));
      return bufferOf(bytes!);
    });
  }

  async close(): Promise<void> {
    await this.#thread?.terminate();
  }

  #largeEntry(): EntryPacker {
    let isFirst = true;
    return {
      pack: async (chunk) => {
        const task = { kind: 'pack', chunk, isFirst, roomBytes: chunk.length + MORE_BYTES } as const;
        isFirst = false;
        const { bytes, sha256, room } = await this.#ask(task, chunk.buffer);
        return { blob: bufferOf(bytes!), sha256: sha256!, room: Buffer.from(room!) };
      },
      digest: async () => (await this.#ask({ kind: 'digest' })).sha256!,
    };
  }

  async #ask(task: ZstdTask, moved?: ArrayBuffer): Promise<ZstdAnswer> {
    const thread = this.#begin();
    const answer = await new Promise<ZstdAnswer>((resolve) => {
      if (this.#problem !== undefined) return resolve({ problem: this.#problem });
      this.#asked.push(resolve);
      thread.ref();
      thread.postMessage(task, moved === undefined ? [] : [moved]);
    });
    if (answer.problem !== undefined) throw answer.problem;
    return answer;
  }

  #begin(): Worker {
    if (this.#thread !== undefined) return this.#thread;
    const thread = new Worker(new URL(`./zstd-thread${extname(import.meta.url)}`, import.meta.url), {
      resourceLimits: THREAD_LIMITS,
    });
    // Archives that nobody closes do not keep a process; their tasks do.
    thread.unref();
    // In the order of the tasks.
    thread.on('message', (answer: ZstdAnswer) => {
      this.#asked.shift()?.(answer);
      if (this.#asked.length === 0) thread.unref();
    });
    const fail = (problem: unknown) => {
      this.#problem ??= problem;
      for (const answer of this.#asked.splice(0)) answer({ problem });
    };
    thread.on('error', fail);
    thread.on('exit', () => fail(new Error('the thread that packs and unpacks has ended')));
    this.#thread = thread;
    return thread;
  }
}

/** One chunk as a rule: others than the last one of an entry are large. */
class SmallEntry implements EntryPacker {
  readonly #digest = createHash('sha256');

  async pack(chunk: OwnBuffer): Promise<Packed> {
    this.#digest.update(chunk);
    const blob = await compress(chunk, { chunkSize: chunk.length + MORE_BYTES, params: PARAMS });
    const sha256 = createHash('sha256').update(blob).digest('hex');
    return { blob, sha256, room: Buffer.from(chunk.buffer) };
  }

  async digest(): Promise<string> {
    return this.#digest.digest('hex');
  }
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): OwnBuffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
