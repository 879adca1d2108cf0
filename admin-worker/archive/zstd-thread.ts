import { parentPort } from 'node:worker_threads';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { release } from './release.ts';

/*
 * A thread of `zstd.ts`: it reads from memory that both have, and writes into such.
 */

export interface ZstdTask {
  readonly kind: 'pack' | 'unpack';
  readonly input: Uint8Array<SharedArrayBuffer>;
  /** Has room for a byte more than is wanted. */
  readonly output: Uint8Array<SharedArrayBuffer>;
}

export interface ZstdAnswer {
  /** Bytes in `output`. */
  readonly length?: number;
  /** What went wrong. */
  readonly problem?: unknown;
}

/** Level 1: half as much work as level 3, for files that are a few per cent larger. */
const PARAMS = { [constants.ZSTD_c_compressionLevel]: 1 };

parentPort?.on('message', (task: ZstdTask) => parentPort?.postMessage(answerTo(task)));

function answerTo({ kind, input, output }: ZstdTask): ZstdAnswer {
  const chunkSize = output.length;
  try {
    const result =
      kind === 'pack'
        ? zstdCompressSync(input, { chunkSize, params: PARAMS })
        : zstdDecompressSync(input, { chunkSize, maxOutputLength: chunkSize });
    output.set(result);
    const { length } = result;
    release(result);
    return { length };
  } catch (problem) {
    return { problem };
  }
}
