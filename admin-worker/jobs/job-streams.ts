import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { JobContext, LogLevel } from './job.ts';

const REPORT_MS = 500;

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
export async function* metered(
  context: Pick<JobContext, 'progress'>,
  source: AsyncIterable<Uint8Array>,
  options: MeterOptions = {},
): AsyncGenerator<Uint8Array> {
  const { totalBytes, label, from = 0, to = 1 } = options;
  let bytes = 0;
  let toldAt = performance.now();
  const tell = () => {
    const share = totalBytes === undefined || totalBytes === 0 ? 0 : Math.min(bytes / totalBytes, 1);
    return context.progress(from + (to - from) * share, [label, megabytes(bytes)].filter(Boolean).join(': '));
  };
  for await (const piece of source) {
    bytes += piece.length;
    if (performance.now() - toldAt >= REPORT_MS) {
      toldAt = performance.now();
      await tell();
    }
    yield piece;
  }
  await tell();
}

/** Pieces that wait for whoever reads; each is what one read of a pipe brought, 64 KiB at most. */
const MAX_WAITING = 16;

/**
 * What a pipe brings, piece by piece, from this very call on: what a child wrote before it ended is dropped where nobody reads. (The iterator of a stream puts pieces that wait
 * together, in new memory.)
 */
export function piecesOf(source: Readable): AsyncGenerator<Buffer> {
  const waiting: Buffer[] = [];
  let wake: () => void = () => undefined;
  let isEnded = false;
  source.on('data', (piece: Buffer) => {
    waiting.push(piece);
    if (waiting.length >= MAX_WAITING) source.pause();
    wake();
  });
  const ended = finished(source, { writable: false }).finally(() => {
    isEnded = true;
    wake();
  });
  // Heard below, once what came before has been read.
  ended.catch(() => undefined);
  async function* pieces(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        for (let piece = waiting.shift(); piece !== undefined; piece = waiting.shift()) yield piece;
        if (isEnded) break;
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        source.resume();
        await promise;
      }
      await ended;
    } finally {
      source.destroy();
    }
  }
  return pieces();
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
