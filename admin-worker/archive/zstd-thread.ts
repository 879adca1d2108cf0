import { createHash } from 'node:crypto';
import { type MessagePort, parentPort } from 'node:worker_threads';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { release } from './release.ts';

/*
 * A thread of `zstd.ts`. Memory goes to and fro with the messages and is never copied.
 */

export type ZstdTask =
  | {
      readonly kind: 'pack';
      /** In memory of its own, which comes back. */
      readonly chunk: Uint8Array<ArrayBuffer>;
      /** Of an entry. */
      readonly isFirst: boolean;
      /** Bytes that a blob may have. */
      readonly roomBytes: number;
    }
  /** SHA-256 of the chunks since the first one. */
  | { readonly kind: 'digest' }
  | { readonly kind: 'unpack'; readonly blob: Uint8Array<ArrayBuffer>; readonly maxBytes: number };

export interface ZstdAnswer {
  /** What was asked for: a blob, content; in memory of its own. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
  /** Of the blob, or of the chunks. */
  readonly sha256?: string;
  /** Memory of the task, given back. */
  readonly room?: ArrayBuffer;
  /** What went wrong. */
  readonly problem?: unknown;
}

/** Level 1: half as much work as level 3, for files that are a few per cent larger. */
const PARAMS = { [constants.ZSTD_c_compressionLevel]: 1 };

if (parentPort !== null) serve(parentPort);

function serve(port: MessagePort): void {
  let digest = createHash('sha256');
  const answerTo = (task: ZstdTask): ZstdAnswer => {
    switch (task.kind) {
      case 'pack': {
        const { chunk, isFirst, roomBytes } = task;
        if (isFirst) digest = createHash('sha256');
        digest.update(chunk);
        const packed = zstdCompressSync(chunk, { chunkSize: roomBytes, params: PARAMS });
        // What goes to the other thread has all of its memory with it.
        const bytes = new Uint8Array(packed);
        release(packed);
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        return { bytes, sha256, room: chunk.buffer };
      }
      case 'digest':
        return { sha256: digest.digest('hex') };
      case 'unpack': {
        const { blob, maxBytes } = task;
        // Room for one more, since zlib goes on to a second piece of memory where the first is full.
        const bytes = zstdDecompressSync(blob, { chunkSize: maxBytes + 1, maxOutputLength: maxBytes });
        return { bytes, room: blob.buffer };
      }
      default:
        return task satisfies never;
    }
  };
  port.on('message', (task: ZstdTask) => {
    let answer: ZstdAnswer;
    try {
      answer = answerTo(task);
    } catch (problem) {
      answer = { problem };
    }
    const { bytes, room } = answer;
    const moved = [bytes?.buffer, room].filter((buffer) => buffer !== undefined);
    port.postMessage(answer, moved);
  });
}
