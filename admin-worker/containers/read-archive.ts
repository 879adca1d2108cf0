import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';

/** The largest file that is read into memory, to be looked at. */
export const MAX_FILE_BYTES: number = 512 * 1024 * 1024;

/** Calls `visit` for each entry of a tar; it has to read the entry to its end. What it throws ends the reading. */
export async function readTar(
  tar: Readable,
  visit: (header: Header, body: Readable) => Promise<void>,
): Promise<void> {
  const entries = extract();
  entries.on('entry', (header, body, next) => {
    visit(header, Readable.from(body)).then(
      () => {
        body.resume();
        next();
      },
      (error: unknown) => entries.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  });
  await pipeline(tar, entries);
}
