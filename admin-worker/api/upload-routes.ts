import { randomUUID } from 'node:crypto';
import { open, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Hono } from 'hono';
import { makeRoomFor, uploadPath } from '../caf/places.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';
import { type UploadRange, UploadReceiver } from './receive-upload.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** An upload that nobody has added to for so long is given up. */
const LIFETIME_MS = 7 * 24 * 3_600_000;

/** `/v1/uploads`: archives on their way in, a piece at a time, so that a connection that breaks costs one piece. */
export function uploadRoutes({ dataDir }: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  const receiver = new UploadReceiver();

  app.post('/', async (c) => {
    const id = randomUUID();
    const path = uploadPath(dataDir, id);
    await makeRoomFor(path);
    await removeStale(dirname(path));
    await (await open(path, 'wx', 0o600)).close();
    return c.json({ upload: { id, offset: 0 } }, 201, { Location: `/v1/uploads/${id}` });
  });

  app.get('/:id', async (c) => {
    const id = c.req.param('id');
    return c.json({ upload: { id, offset: await sizeOf(dataDir, id) } });
  });

  app.put('/:id', async (c) => {
    const id = c.req.param('id');
    await sizeOf(dataDir, id);
    await receiver.receive(uploadPath(dataDir, id), c.req.raw.body, async () => {
      const size = await sizeOf(dataDir, id);
      const range = rangeOf(c.req.header('content-range'));
      if (range.start === size) return range;
      throw new AdminError(
        'conflict',
        `The upload has ${size} bytes; the next one begins there, not at ${range.start}`,
        { hint: `Send the rest with Content-Range: bytes ${size}-<last>/<all>` },
      );
    });
    return c.json({ upload: { id, offset: await sizeOf(dataDir, id) } });
  });

  app.delete('/:id', async (c) => {
    const id = c.req.param('id');
    await sizeOf(dataDir, id);
    await rm(uploadPath(dataDir, id), { force: true });
    return c.body(null, 204);
  });

  return app;
}

/** @throws {AdminError} `not_found` */
export async function sizeOf(dataDir: string, id: string): Promise<number> {
  const file = UUID.test(id) ? await stat(uploadPath(dataDir, id)).catch(() => undefined) : undefined;
  if (file === undefined) throw new AdminError('not_found', `There is no upload '${id.slice(0, 60)}'`);
  return file.size;
}

/** Of `bytes 0-99/200` or `bytes 0-99/*`; without the header all of it comes at once. @throws {AdminError} */
function rangeOf(header: string | undefined): UploadRange {
  if (header === undefined) return { start: 0, last: undefined };
  const [, start, last] = /^bytes (\d{1,15})-(\d{1,15})\/(?:\d{1,15}|\*)$/.exec(header) ?? [];
  if (Number(start) <= Number(last)) return { start: Number(start), last: Number(last) };
  throw new AdminError('invalid_request', 'Content-Range must look like: bytes 0-1048575/5000000');
}

async function removeStale(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (UUID.test(name) && Date.now() - mtimeMs > LIFETIME_MS) await rm(path, { force: true });
  }
}
