import { extname } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { CHUNK_BYTES, MAX_BLOB_BYTES } from './format.ts';
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

/** Memory for one chunk on its way through the thread, used again for the next. */
export interface Slot {
  /** Of `CHUNK_BYTES`, and one more: content that has that too is too long. */
  readonly chunk: Buffer<SharedArrayBuffer>;
  /** Of `MAX_BLOB_BYTES`. */
  readonly blob: Buffer<SharedArrayBuffer>;
}

export function newSlot(): Slot {
  const room = (bytes: number) => Buffer.from(new SharedArrayBuffer(bytes));
  return { chunk: room(CHUNK_BYTES + 1), blob: room(MAX_BLOB_BYTES) };
}

/**
 * Packs and unpacks chunks, large ones on a thread, in memory that stays: zlib would take megabytes of new memory for each, for which V8 looks through its whole heap again and again, and the
 * thread's heap is small. The thread begins with the first of them and ends by `close`, or with the process.
 */
export class Zstd {
  #thread: Worker | undefined;
  #problem: unknown;
  readonly #asked: ((answer: ZstdAnswer) => void)[] = [];
  readonly #slots: Slot[] = [];
  #slotsMade = 0;
  readonly #waiting: ((slot: Slot) => void)[] = [];

  /**
   * @param length of the chunk in the slot
   * @returns a blob, which may lie in the slot
   */
  async pack(slot: Slot, length: number): Promise<Buffer> {
    const chunk = slot.chunk.subarray(0, length);
    if (length < THREAD_BYTES) return compress(chunk, { chunkSize: length + MORE_BYTES, params: PARAMS });
    return slot.blob.subarray(0, await this.#ask({ kind: 'pack', input: chunk, output: slot.blob }));
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
    const slot = await this.#takeSlot();
    try {
      const input = slot.blob.subarray(0, sizes.blob);
      await fill(input);
      const output = slot.chunk.subarray(0, sizes.content + 1);
      const length = await this.#ask({ kind: 'unpack', input, output });
      if (length > sizes.content) throw new RangeError('there is more content than there should be');
      const content = Buffer.allocUnsafeSlow(length);
      slot.chunk.copy(content, 0, 0, length);
      return content;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#slots.push(slot);
      else next(slot);
    }
  }

  async close(): Promise<void> {
    await this.#thread?.terminate();
  }

  async #takeSlot(): Promise<Slot> {
    const free = this.#slots.pop();
    if (free !== undefined) return free;
    if (this.#slotsMade < UNPACKING) {
      this.#slotsMade++;
      return newSlot();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #ask(task: ZstdTask): Promise<number> {
    const thread = this.#begin();
    const { length, problem } = await new Promise<ZstdAnswer>((resolve) => {
      if (this.#problem !== undefined) return resolve({ problem: this.#problem });
      this.#asked.push(resolve);
      thread.ref();
      thread.postMessage(task);
    });
    if (length === undefined) throw problem;
    return length;
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
