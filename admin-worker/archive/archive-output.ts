import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

/** Takes bytes and resolves when it needs them no more: their memory is used again. */
export type Sink = (bytes: Uint8Array) => Promise<unknown>;

/** Where the bytes of an archive go, and what they come to. */
export interface ArchiveOutput {
  /** To be called once, with as many bytes as there is room for. */
  begin(header: Uint8Array): Promise<void>;
  /** Bytes behind all that came before. They may be used again when it resolves. */
  append(bytes: Uint8Array): Promise<void>;
  /** After `begin` and all the rest. What goes into a file is on the disk then. */
  end(): Promise<OutputDigest>;
}

export interface OutputDigest {
  readonly size: number;
  /** Of all bytes in their order, as hexadecimal. */
  readonly sha256: string;
}

/** What has no way back: everything waits for the beginning. */
export function outputTo(sink: Sink): ArchiveOutput {
  const digest = createHash('sha256');
  const begun = Promise.withResolvers<void>();
  let size = 0;
  const put = async (bytes: Uint8Array) => {
    digest.update(bytes);
    size += bytes.length;
    await sink(bytes);
  };
  return {
    async begin(header) {
      await put(header);
      begun.resolve();
    },
    async append(bytes) {
      await begun.promise;
      await put(bytes);
    },
    end: async () => ({ size, sha256: digest.digest('hex') }),
  };
}

/** What is read again at once; no more than that is in memory. */
const AGAIN_BYTES = 1024 * 1024;
/** The system is told to bring so much to the disk while the rest is being made: in the end there is little to wait for. */
const SYNC_BYTES = 16 * 1024 * 1024;

/** A file, open to be written and read, of which all but the beginning can be written first. What was written before the beginning is read again for the digest of the whole. @param room bytes that the beginning takes */
export function outputToFile(file: FileHandle, room: number): ArchiveOutput {
  const digest = createHash('sha256');
  let size = room;
  let hasBegun = false;
  let unsynced = 0;
  let isSyncing = false;
  let synced: Promise<unknown> = Promise.resolve();
  const syncBesides = () => {
    if (isSyncing || unsynced < SYNC_BYTES) return;
    unsynced = 0;
    isSyncing = true;
    // A failure stays, since the system tells it once: no further sync begins, and `end` hears of it.
    synced = file.datasync().then(() => {
      isSyncing = false;
    });
    synced.catch(() => undefined);
  };
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const done = turn.then(work);
    turn = done.catch(() => undefined);
    return done;
  };
  const hashAgain = async () => {
    const piece = Buffer.allocUnsafeSlow(Math.min(size - room, AGAIN_BYTES));
    for (let position = room; position < size; ) {
      const { bytesRead } = await file.read(piece, 0, Math.min(piece.length, size - position), position);
      if (bytesRead === 0) throw new Error('a file that is being written ends early');
      digest.update(piece.subarray(0, bytesRead));
      position += bytesRead;
    }
  };
  return {
    begin: (header) =>
      inTurn(async () => {
        if (header.length !== room) throw new RangeError(`${header.length} bytes have to have been ${room}`);
        await writeAt(file, header, 0);
        digest.update(header);
        await hashAgain();
        hasBegun = true;
      }),
    append: (bytes) =>
      inTurn(async () => {
        await writeAt(file, bytes, size);
        if (hasBegun) digest.update(bytes);
        size += bytes.length;
        unsynced += bytes.length;
        syncBesides();
      }),
    async end() {
      await synced;
      await file.sync();
      return { size, sha256: digest.digest('hex') };
    },
  };
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}
