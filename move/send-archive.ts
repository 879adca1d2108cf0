import { parseUpload } from './admin-answers.ts';
import type { AdminClient } from './admin-client.ts';
import { AdminRefusal, MoveError } from './move-error.ts';
import type { Report } from './report.ts';

/** What is held in memory, and what a connection that breaks costs. */
const PIECE_BYTES = 4 * 1024 * 1024;
/** Breaks in a row without a byte in between. */
const MAX_BREAKS = 5;

export interface Sending {
  readonly from: AdminClient;
  readonly to: AdminClient;
  /** The export that made the archive, and the upload that takes it. */
  readonly job: string;
  readonly upload: string;
  /** Bytes of the archive. */
  readonly size: number;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** Sends an archive from one installation to the other, from where the last attempt ended. @throws {MoveError} `unreachable` */
export async function sendArchive(sending: Sending): Promise<void> {
  const { to, upload, size, signal } = sending;
  let breaks = 0;
  let reached = -1;
  for (;;) {
    const { offset } = parseUpload(await to.call('GET', `/v1/uploads/${upload}`));
    if (offset >= size) return;
    if (offset > reached) breaks = 0;
    reached = offset;
    try {
      await sendFrom(offset, sending);
    } catch (error) {
      signal.throwIfAborted();
      const isBreak = error instanceof MoveError && !(error instanceof AdminRefusal && error.status !== 409);
      if (!isBreak || ++breaks > MAX_BREAKS) throw error;
    }
  }
}

async function sendFrom(offset: number, sending: Sending): Promise<void> {
  const { from, to, job, upload, size, report } = sending;
  const archive = await from.open('GET', `/v1/jobs/${job}/archive`, {
    headers: { range: `bytes=${offset}-` },
  });
  let at = offset;
  for await (const piece of pieces(archive, from.origin)) {
    await to.call('PUT', `/v1/uploads/${upload}`, {
      bytes: piece,
      headers: {
        'content-range': `bytes ${at}-${at + piece.length - 1}/${size}`,
        'content-type': 'application/octet-stream',
      },
      // What became of it is found by asking for the offset.
      isRepeatable: false,
    });
    at += piece.length;
    report.progress(`sending ${(size / 1_000_000).toFixed(1)} MB`, at / size);
  }
}

async function* pieces(response: Response, origin: string): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const waiting: Uint8Array[] = [];
  let length = 0;
  const take = (): Uint8Array<ArrayBuffer> => {
    const piece = new Uint8Array(Buffer.concat(waiting, length));
    waiting.length = 0;
    length = 0;
    return piece;
  };
  try {
    for await (const chunk of response.body ?? []) {
      waiting.push(chunk);
      length += chunk.length;
      if (length >= PIECE_BYTES) yield take();
    }
  } catch (cause) {
    if (cause instanceof MoveError) throw cause;
    throw new MoveError('unreachable', `${origin} broke off while the archive was read`, { cause });
  }
  if (length > 0) yield take();
}
