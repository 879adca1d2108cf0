/**
 * Gives memory back at once. V8 knows of memory outside of its heap and looks through the whole heap for every 64 MB of it: a gigabyte of short-lived buffers costs
 * seconds, and up to then they are all there.
 *
 * @param bytes alone in their memory, but for the pool that small buffers share; empty from here on
 */
export function release({ buffer, byteLength }: Uint8Array): void {
  if (!(buffer instanceof ArrayBuffer)) return;
  if (buffer.byteLength === byteLength || buffer.byteLength > Buffer.poolSize) buffer.transfer(0);
}

/** The same pieces, each of which is released when the next one is asked for: for those who have used it by then, where nobody else has it. */
export async function* releasing<T extends Uint8Array>(source: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const piece of source) {
    yield piece;
    release(piece);
  }
}
