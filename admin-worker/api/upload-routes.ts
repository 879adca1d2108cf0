import { randomUUID } from 'node:crypto';
import { open, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Hono } from 'hono';
import { makeRoomFor, uploadPath } from '../caf/places.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** An upload that nobody has added to for so long is given up. */
const LIFETIME_MS = 7 * 24 * 3_600_000;

/** `/v1/uploads`: archives on their way in, a piece at a time, so that a connection that breaks costs one piece. */
export function uploadRoutes({ dataDir }: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();

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
    const size = await sizeOf(dataDir, id);
    const start = rangeStart(c.req.header('content-range'));
    if (start !== size) {
      throw new AdminError(
        'conflict',
        `The upload has ${size} bytes; the next one begins there, not at ${start}`,
        {
          hint: `Send the rest with Content-Range: bytes ${size}-<last>/<all>`,
        },
      );
    }
    const file = await open(uploadPath(dataDir, id), 'a');
    try {
      // What came of a request that breaks stays: the next one goes on behind it.
      const { body } = c.req.raw;
      if (body !== null) for await (const piece of body) await file.writeFile(piece);
    } finally {
      await file.close();
    }
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
function rangeStart(header: string | undefined): number {
  if (header === undefined) return 0;
  const start = /^bytes (\d{1,15})-\d{1,15}\/(?:\d{1,15}|\*)$/.exec(header)?.[1];
  if (start !== undefined) return Number(start);
  throw new AdminError('invalid_request', 'Content-Range must look like: bytes 0-1048575/5000000');
}

async function removeStale(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (UUID.test(name) && Date.now() - mtimeMs > LIFETIME_MS) await rm(path, { force: true });
  }
}
