import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { FillingSource } from '../archive/chunk-source.ts';
import { release } from '../archive/release.ts';
import type { JobContext, LogLevel } from './job.ts';

const REPORT_MS = 500;
/** What slow bytes are told by. */
const METERED_BYTES = 256 * 1024;

export interface MeterOptions {
  /** What all of the stream will come to; progress is told only when it is known. */
  readonly totalBytes?: number | undefined;
  /** Put before the figures: `books.csv`. */
  readonly label?: string;
  /** Share of the step that this stream is: where it begins and ends, from 0 to 1. Default: all of it. */
  readonly from?: number;
  readonly to?: number;
}

/** Passes bytes on and tells the job's progress by them, twice a second. It fails when the job is lost. */
export function metered(
  context: Pick<JobContext, 'progress'>,
  source: FillingSource,
  options: MeterOptions = {},
): FillingSource {
  const { totalBytes, label, from = 0, to = 1 } = options;
  let bytes = 0;
  let toldAt = performance.now();
  const tell = () => {
    toldAt = performance.now();
    const share = totalBytes === undefined || totalBytes === 0 ? 0 : Math.min(bytes / totalBytes, 1);
    return context.progress(from + (to - from) * share, [label, megabytes(bytes)].filter(Boolean).join(': '));
  };
  return {
    async fill(room) {
      for (let filled = 0; filled < room.length; ) {
        const part = room.subarray(filled, filled + METERED_BYTES);
        const count = await source.fill(part);
        filled += count;
        bytes += count;
        const isEnd = count < part.length;
        if (isEnd || performance.now() - toldAt >= REPORT_MS) await tell();
        if (isEnd) return filled;
      }
      return room.length;
    },
  };
}

/** Pieces that wait for whoever reads; each is what one read of a pipe brought, 64 KiB at most. */
const MAX_WAITING = 16;

/** What a pipe brings; to be closed in the end, whatever has happened. */
export interface PipeSource extends FillingSource {
  close(): void;
}

/**
 * What a pipe brings, from this very call on: what a child wrote before it ended is dropped where nobody reads. Each piece is copied to where it is wanted as it comes and its memory given back:
 * it must be nobody else's.
 */
export function sourceOf(pipe: Readable): PipeSource {
  const waiting: Uint8Array[] = [];
  let isEnded = false;
  let wanted: { readonly room: Uint8Array; filled: number; readonly done: () => void } | undefined;
  const take = () => {
    while (wanted !== undefined && waiting.length > 0) {
      const { room, filled } = wanted;
      const piece = waiting[0]!;
      const fitting = piece.subarray(0, room.length - filled);
      room.set(fitting, filled);
      wanted.filled += fitting.length;
      if (fitting.length === piece.length) release(waiting.shift()!);
      else waiting[0] = piece.subarray(fitting.length);
      if (wanted.filled === room.length) settle();
    }
    if (isEnded) settle();
  };
  const settle = () => {
    wanted?.done();
    wanted = undefined;
  };
  pipe.on('data', (piece: Buffer) => {
    waiting.push(piece);
    take();
    if (waiting.length >= MAX_WAITING) pipe.pause();
  });
  const ended = finished(pipe, { writable: false }).finally(() => {
    isEnded = true;
    take();
  });
  // Heard below, once what came before has been read.
  ended.catch(() => undefined);
  return {
    async fill(room) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const asked = { room, filled: 0, done: resolve };
      wanted = asked;
      take();
      if (wanted !== undefined) pipe.resume();
      await promise;
      if (asked.filled < room.length) await ended;
      return asked.filled;
    },
    close: () => void pipe.destroy(),
  };
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** Logs each line of a stream, such as a child process's output. Resolves at its end. */
export async function logLines(
  context: Pick<JobContext, 'log'>,
  source: Readable,
  level: LogLevel = 'info',
): Promise<void> {
  for await (const line of createInterface({ input: source, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line.trim() !== '') context.log(line, level);
  }
}
