import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { Hono } from 'hono';
import { z } from 'zod';
import { CONTENTS } from '../caf/leavable.ts';
import { Passphrase, sealPassphrase, secretMark } from '../caf/passphrase.ts';
import { archivePath } from '../caf/places.ts';
import { exportCafKind } from '../jobs/export-caf-kind.ts';
import { findJob } from '../jobs/job-store.ts';
import { recordAudit } from '../tenants/audit.ts';
import { findTenant } from '../tenants/tenant-record.ts';
import { tenantNotFound } from '../tenants/update-tenant.ts';
import { acceptJob, JobOptions } from './accept-job.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';
import { readBody } from './read-body.ts';

/** Body of `POST /v1/tenants/:id/export`. */
export const ExportInput = z.strictObject({
  passphrase: Passphrase,
  leave_out: z
    .array(z.enum(CONTENTS))
    .max(CONTENTS.length)
    .default([])
    .describe('What the archive does without'),
  ...JobOptions,
});

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** `/v1/tenants/:id/export` */
export function exportRoutes(services: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.post('/:id/export', async (c) => {
    const id = c.req.param('id');
    const { passphrase, leave_out, ...options } = await readBody(c, ExportInput);
    const leaveOut = [...new Set(leave_out)];
    const { masterKey } = services;
    return acceptJob(c, services, {
      kind: exportCafKind,
      payload: { tenantId: id, sealedPassphrase: sealPassphrase(passphrase, masterKey), leaveOut },
      identity: { tenantId: id, passphrase: secretMark(passphrase, masterKey), leaveOut },
      options,
      audit: { action: 'tenant.export', after: {} },
      async prepare(client) {
        if ((await findTenant(client, id)) === undefined) throw tenantNotFound(id);
      },
    });
  });
  return app;
}

/** `/v1/jobs/:id/archive` */
export function archiveRoutes(services: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();

  app.get('/:id/archive', async (c) => {
    const { path, name, size, sha256 } = await findArchive(services, c.req.param('id'));
    const headers = {
      'Content-Type': 'application/vnd.cascata.archive',
      'Content-Disposition': `attachment; filename="${name}"`,
      'Accept-Ranges': 'bytes',
      ...(sha256 === undefined ? {} : { ETag: `"${sha256}"` }),
    };
    const from = rangeStart(c.req.header('range'), size);
    const stream = Readable.toWeb(createReadStream(path, { start: from ?? 0 })) as ReadableStream;
    if (from === undefined) return c.body(stream, 200, { ...headers, 'Content-Length': String(size) });
    return c.body(stream, 206, {
      ...headers,
      'Content-Length': String(size - from),
      'Content-Range': `bytes ${from}-${size - 1}/${size}`,
    });
  });

  app.delete('/:id/archive', async (c) => {
    const id = c.req.param('id');
    const { path, tenantId } = await findArchive(services, id);
    await rm(path, { force: true });
    await recordAudit(services.control, {
      actor: c.get('actor'),
      action: 'archive.delete',
      tenantId,
      before: { job: id },
    });
    return c.body(null, 204);
  });

  return app;
}

async function findArchive({ control, dataDir }: ApiServices, id: string) {
  const job = UUID.test(id) ? await findJob(control, id) : undefined;
  const path = archivePath(dataDir, id);
  const file = job?.name === exportCafKind.name ? await stat(path).catch(() => undefined) : undefined;
  if (job === undefined || file === undefined) {
    throw new AdminError('not_found', `The job '${id.slice(0, 60)}' has no archive`, {
      hint: 'The API has to see the directory DATA_DIR of the runner that wrote it',
    });
  }
  const archive = z.object({ archive: z.object({ sha256: z.string() }) }).safeParse(job.result);
  return {
    path,
    size: file.size,
    sha256: archive.data?.archive.sha256,
    tenantId: job.tenant_id ?? undefined,
    name: `${job.tenant_id}-${job.created_at.toISOString().slice(0, 10)}.caf`,
  };
}

/** `bytes=100-`: what a download that broke asks for. Other ranges get everything, as HTTP allows. */
function rangeStart(range: string | undefined, size: number): number | undefined {
  const start = /^bytes=(\d{1,15})-$/.exec(range ?? '')?.[1];
  if (start === undefined || Number(start) >= size) return undefined;
  return Number(start);
}
