import { createReadStream } from 'node:fs';
import { Hono } from 'hono';
import { z } from 'zod';
import { ArchiveError } from '../archive/archive-error.ts';
import type { ArchiveHeader } from '../archive/format.ts';
import { readArchiveHeader } from '../archive/scan-archive.ts';
import { BackendsInput } from '../backends/backend-input.ts';
import { givenBackends } from '../backends/backends.ts';
import { refuseTakenPlaces, tryBackends } from '../backends/check-backends.ts';
import { LEAVABLE } from '../caf/leavable.ts';
import { Passphrase, sealBackends, sealPassphrase, secretMark } from '../caf/passphrase.ts';
import { uploadPath } from '../caf/places.ts';
import { hydrateCafKind } from '../jobs/hydrate-caf-kind.ts';
import { problemOfTenantId } from '../provision/tenant-names.ts';
import { Hosts, Isolation, TenantIdInput } from '../tenants/tenant-input.ts';
import { acceptJob, JobOptions } from './accept-job.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';
import { readBody } from './read-body.ts';
import { sizeOf } from './upload-routes.ts';

/** Body of `POST /v1/hydrate`. */
export const HydrateInput = z.strictObject({
  upload: z.guid().describe('Id of an upload that is complete'),
  passphrase: Passphrase,
  as: TenantIdInput.optional().describe("Another id than the archive's; names in the database stay"),
  hosts: Hosts.optional().describe("In place of the archive's"),
  extensions: z
    .array(z.string().min(1).max(63))
    .max(100)
    .default([])
    .describe('Extensions that are not trusted and may be made all the same'),
  backends: BackendsInput.default({}).describe(
    'Where files and vectors go; absent: files into DATA_DIR/storage/<tenant>',
  ),
  leave_out: z
    .array(z.enum(LEAVABLE))
    .max(LEAVABLE.length)
    .default([])
    .describe('Parts of the archive that the new tenant does without'),
  isolation: Isolation.optional().describe(
    "Of the placement shared, in place of the archive's; has to be given for a tenant that was trusted",
  ),
  status: z
    .enum(['active', 'suspended'])
    .optional()
    .describe('That the tenant gets in the end. Default: the one it had at its origin'),
  replaces: z
    .guid()
    .optional()
    .describe(
      'Job that has hydrated the tenant of this id, suspended since: all of it is replaced but its files and vectors',
    ),
  ...JobOptions,
});

/** `/v1/hydrate` */
export function hydrateRoutes(services: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.post('/', async (c) => {
    const {
      upload,
      passphrase,
      as,
      hosts,
      extensions,
      isolation,
      backends,
      leave_out,
      status,
      replaces,
      ...options
    } = await readBody(c, HydrateInput);
    const { masterKey, dataDir } = services;
    await sizeOf(dataDir, upload);
    const header = await headerOf(uploadPath(dataDir, upload));
    const tenantId = as ?? header.tenant;
    const problem = problemOfTenantId(tenantId);
    if (problem !== undefined) {
      throw new AdminError('invalid_request', `The id of the archive's tenant ${problem}`, {
        details: [{ path: 'as', message: problem }],
      });
    }
    await tryBackends(services, givenBackends(backends));
    const hasBackends = Object.keys(backends).length > 0;
    const payload = {
      tenantId,
      uploadId: upload,
      hosts: hosts ?? null,
      extensions,
      leaveOut: [...new Set(leave_out)],
      isolation: isolation ?? null,
      status: status ?? null,
      replaces: replaces ?? null,
    };
    return acceptJob(c, services, {
      kind: hydrateCafKind,
      payload: {
        ...payload,
        sealedPassphrase: sealPassphrase(passphrase, masterKey),
        sealedBackends: hasBackends ? sealBackends(backends, masterKey) : null,
      },
      identity: {
        ...payload,
        passphrase: secretMark(passphrase, masterKey),
        backends: secretMark(JSON.stringify(backends), masterKey),
      },
      options,
      audit: { action: 'tenant.hydrate', after: { archive: header.id, origin: header.tenant } },
      async prepare(client) {
        const { rows } = await client.query<{ by: string | null; status: string }>(
          'SELECT hydrated_by AS by, status FROM control.tenants WHERE id = $1',
          [tenantId],
        );
        const [found] = rows;
        const isReplaced = found?.by === replaces && found?.status === 'suspended';
        if (replaces === undefined ? found === undefined : isReplaced)
          return refuseTakenPlaces(client, { tenantId, backends: givenBackends(backends) });
        if (replaces !== undefined) {
          throw new AdminError(
            'conflict',
            `There is no suspended tenant '${tenantId}' of the job ${replaces}`,
          );
        }
        throw new AdminError('conflict', `There is a tenant '${tenantId}' already`, {
          hint: 'Give the new one another id with "as"',
        });
      },
    });
  });
  return app;
}

async function headerOf(path: string): Promise<ArchiveHeader> {
  try {
    return await readArchiveHeader(createReadStream(path));
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    throw new AdminError('invalid_request', `The upload is refused: ${error.message}`, {
      details: [{ path: 'upload', message: error.problem }],
      cause: error,
    });
  }
}
