import type { FileHandle } from 'node:fs/promises';
import { releasing } from './release.ts';

const PIECE_BYTES = 1024 * 1024;

/** The bytes of a file from its beginning, each piece in the memory of the one before. */
export async function* piecesOfFile(handle: FileHandle, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const { size } = await handle.stat();
  // One byte more than there should be finds the end of a small file at once.
  const room = Buffer.allocUnsafeSlow(Math.min(size + 1, PIECE_BYTES));
  for (let position = 0; ; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(room, 0, room.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield room.subarray(0, bytesRead);
  }
}

/** Writes pieces that nobody else has; their memory is given back. */
export async function writePieces(
  handle: FileHandle,
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  for await (const piece of releasing(pieces)) {
    signal.throwIfAborted();
    await handle.writeFile(piece);
  }
}
