import { createInterface } from 'node:readline';
import { type Readable, Transform } from 'node:stream';
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

/** A stream that passes bytes on and tells the job's progress by them, twice a second. It fails when the job is lost. */
export function meter(context: Pick<JobContext, 'progress'>, options: MeterOptions = {}): Transform {
  const { totalBytes, label, from = 0, to = 1 } = options;
  let bytes = 0;
  let toldAt = performance.now();
  const tell = () => {
    const share = totalBytes === undefined || totalBytes === 0 ? 0 : Math.min(bytes / totalBytes, 1);
    return context.progress(from + (to - from) * share, [label, megabytes(bytes)].filter(Boolean).join(': '));
  };
  return new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length;
      if (performance.now() - toldAt < REPORT_MS) return done(null, chunk);
      toldAt = performance.now();
      tell().then(() => done(null, chunk), done);
    },
    flush(done) {
      tell().then(() => done(), done);
    },
  });
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
