import type { ServerResponse } from 'node:http';
import type { BodyStream, HttpResponse } from '../errors/http-response.ts';

/**
 * Sends a body as it comes, no faster than the client takes it. If it breaks off, so does the connection: the client sees a chunked body without
 * its end, and cannot take what it has for all of it.
 */
export async function writeStream(
  { status, headers }: HttpResponse,
  stream: BodyStream,
  outgoing: ServerResponse,
): Promise<void> {
  const onClose = (): void => stream.cancel();
  outgoing.once('close', onClose);
  if (outgoing.destroyed) return onClose();
  stream.onBreak(() => outgoing.destroy());
  try {
    outgoing.writeHead(status, headers);
    for (;;) {
      const chunk = await stream.read();
      if (outgoing.destroyed) return;
      if (chunk === undefined) break;
      if (!outgoing.write(chunk)) await drained(outgoing);
    }
    outgoing.end();
  } catch {
    // Told by who made the stream.
    outgoing.destroy();
  }
}

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done).off('close', done);
      resolve();
    };
    outgoing.on('drain', done).on('close', done);
  });
}

/** The same for the Fetch API. */
export function streamBody(stream: BodyStream): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => stream.onBreak((cause) => controller.error(cause)),
      async pull(controller) {
        const chunk = await stream.read();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel: () => stream.cancel(),
    },
    { highWaterMark: 0 },
  );
}
