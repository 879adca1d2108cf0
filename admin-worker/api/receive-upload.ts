import { open } from 'node:fs/promises';
import { AdminError } from './admin-error.ts';

/** Where the bytes of a request belong; `last` is known where it was told. */
export interface UploadRange {
  readonly start: number;
  readonly last: number | undefined;
}

/** A client that sends nothing for so long has gone. */
const STALL_MS = 60_000;

interface Receiving {
  /** Resolves when no byte of it will be written any more. */
  stop(): Promise<void>;
}

/**
 * Writes what comes to the ends of files. Of two requests for one file the later one counts, because its client has given the other up: a connection that broke unseen would
 * otherwise go on writing between the pieces that follow.
 */
export class UploadReceiver {
  readonly #receiving = new Map<string, Receiving>();
  readonly #stallMs: number;

  constructor({ stallMs = STALL_MS }: { readonly stallMs?: number } = {}) {
    this.#stallMs = stallMs;
  }

  /**
   * @param prepare called once nobody else writes; throws when the range does not fit
   * @throws {AdminError} `conflict` when a later request has taken over, `invalid_request` when more comes than the range says
   */
  async receive(
    path: string,
    body: ReadableStream<Uint8Array> | null,
    prepare: () => Promise<UploadRange>,
  ): Promise<void> {
    for (let other = this.#receiving.get(path); other !== undefined; other = this.#receiving.get(path)) {
      await other.stop();
    }
    const reader = body?.getReader();
    const over = Promise.withResolvers<void>();
    const state = { isStopped: false };
    const stop = () => {
      state.isStopped = true;
      void reader?.cancel().catch(() => undefined); // Nobody waits for what is left of it.
      return over.promise;
    };
    const receiving = { stop };
    this.#receiving.set(path, receiving);
    try {
      const range = await prepare();
      if (reader !== undefined) await this.#write(path, reader, { range, state, stop });
    } finally {
      if (this.#receiving.get(path) === receiving) this.#receiving.delete(path);
      over.resolve();
    }
  }

  async #write(
    path: string,
    reader: ReadableStreamDefaultReader<Uint8Array>,
    { range, state, stop }: { range: UploadRange; state: { isStopped: boolean }; stop: () => Promise<void> },
  ): Promise<void> {
    const { start, last = Number.POSITIVE_INFINITY } = range;
    const file = await open(path, 'a');
    const stall = setTimeout(() => void stop(), this.#stallMs);
    try {
      // What came of a request that breaks stays: the next one goes on behind it.
      for (let next = start; ; ) {
        const { value } = await reader.read();
        if (state.isStopped) {
          throw new AdminError(
            'conflict',
            'The upload goes on by another request, or nothing came for too long',
          );
        }
        if (value === undefined) return;
        next += value.length;
        if (next > last + 1) {
          await file.truncate(start);
          throw new AdminError('invalid_request', 'The body is longer than its Content-Range says', {
            hint: 'Nothing of it was kept',
          });
        }
        await file.writeFile(value);
        stall.refresh();
      }
    } finally {
      clearTimeout(stall);
      await file.close();
    }
  }
}
