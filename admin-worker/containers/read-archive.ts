import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import type { ContainerEngine } from './container-engine.ts';

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

/** One file of a container. @param path no link: see `ContainerEngine.stat` */
export async function readOneFile(engine: ContainerEngine, container: string, path: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await readTar(await engine.readArchive(container, path), async ({ type, size = 0 }, body) => {
    if (type !== 'file' || size > MAX_FILE_BYTES) throw new Error(`${path} is no file that could be read`);
    for await (const chunk of body) chunks.push(chunk as Buffer);
  });
  return Buffer.concat(chunks);
}
