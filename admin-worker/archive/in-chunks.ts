/**
 * The same bytes in pieces of `size`, the last one as long as it is; none when there are no bytes. A piece of the source has been copied when the next one is asked for.
 *
 * @param room gives memory for one piece, of `size` bytes or more
 */
export async function* inChunks(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  size: number,
  room: () => Buffer<ArrayBuffer> = () => Buffer.allocUnsafeSlow(size),
): AsyncGenerator<Buffer<ArrayBuffer>> {
  let chunk: Buffer<ArrayBuffer> | undefined;
  let length = 0;
  for await (const part of source) {
    for (let taken = 0; taken < part.length; ) {
      chunk ??= room();
      const rest = part.subarray(taken, taken + size - length);
      chunk.set(rest, length);
      taken += rest.length;
      length += rest.length;
      if (length < size) continue;
      yield chunk.subarray(0, size);
      chunk = undefined;
      length = 0;
    }
  }
  if (chunk !== undefined) yield chunk.subarray(0, length);
}
