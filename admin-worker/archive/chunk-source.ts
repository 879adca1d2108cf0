/** Bytes that are put where they are wanted. A pipe has tens of thousands of small pieces, and each would cost a turn of every generator that it is passed through. */
export interface FillingSource {
  /** Fills all of `room`, or less where the bytes end. @returns how many there were; fewer than asked for are the last ones */
  fill(room: Uint8Array): Promise<number>;
}

/**
 * Its bytes in pieces of `size`, the last one as long as it is; none when there are no bytes.
 *
 * @param options.room gives memory for one piece, of `size` bytes or more; what no piece came into goes to `unused`
 */
export async function* filledChunks(
  source: FillingSource,
  {
    size,
    room,
    unused,
  }: { size: number; room: () => Buffer<ArrayBuffer>; unused: (room: Buffer<ArrayBuffer>) => void },
): AsyncGenerator<Buffer<ArrayBuffer>> {
  for (;;) {
    const chunk = room();
    const length = await source.fill(chunk.subarray(0, size));
    if (length === 0) return unused(chunk);
    yield chunk.subarray(0, length);
    if (length < size) return;
  }
}

const PIECE_BYTES = 64 * 1024;

/** Its bytes in pieces, each in memory of its own. */
export async function* piecesOf(source: FillingSource): AsyncGenerator<Buffer> {
  for (;;) {
    const room = Buffer.allocUnsafeSlow(PIECE_BYTES);
    const length = await source.fill(room);
    if (length > 0) yield room.subarray(0, length);
    if (length < PIECE_BYTES) return;
  }
}
