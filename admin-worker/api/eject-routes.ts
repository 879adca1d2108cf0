import { createHash } from 'node:crypto';
import { Hono } from 'hono';
import { z } from 'zod';
import { Secret } from '../../gateway/registry/secrets.ts';
import { canEject } from '../ejection/finding.ts';
import { ejectionOf, sealFor } from '../ejection/move.ts';
import { findMove } from '../ejection/moved-tenant.ts';
import { preflight } from '../ejection/preflight.ts';
import { ejectTenantKind } from '../jobs/eject-tenant-kind.ts';
import { flipBackTenantKind } from '../jobs/flip-back-tenant-kind.ts';
import { refuseAway } from '../tenants/refuse-away.ts';
import { CaCertificate, Dsn } from '../tenants/tenant-input.ts';
import { findTenant, type TenantRecord } from '../tenants/tenant-record.ts';
import { tenantNotFound } from '../tenants/update-tenant.ts';
import { acceptJob, JobOptions } from './accept-job.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';
import { readBody } from './read-body.ts';

const Where = {
  remote_connection_string: Dsn.describe(
    'The new database, with a login that may create roles and schemas there. Requests get one of their own',
  ),
  mode: z
    .enum(['offline', 'online'])
    .default('offline')
    .describe('offline: writes are held while everything is copied; online: for the last moment only'),
  ca_certificate: CaCertificate.nullish(),
};

/** Body of `POST /v1/tenants/:id/eject/preflight`. */
export const PreflightInput = z.strictObject(Where);

/** Body of `POST /v1/tenants/:id/eject`. */
export const EjectInput = z.strictObject({
  ...Where,
  read_replica_url: Dsn.nullish(),
  source_connection_string: Dsn.nullish().describe(
    'online: how the new server reaches the cluster of this installation; login and database are put in. Default: as the admin worker does',
  ),
  verify: z
    .enum(['contents', 'counts'])
    .default('contents')
    .describe('How both sides are compared before the switch: every row, or the number of rows'),
  keep_days: z.int().min(1).max(365).default(7).describe('How long the old copy is meant to be kept'),
  ...JobOptions,
});

/** Body of `POST /v1/tenants/:id/eject/flip-back`. */
export const FlipBackInput = z.strictObject({
  accept_data_loss: z
    .boolean()
    .default(false)
    .describe('Go back although something was written at the new place, and leave that there'),
  ...JobOptions,
});

/** `/v1/tenants/:id/eject`, `/v1/tenants/:id/eject/flip-back`, `/v1/tenants/:id/eject/preflight` */
export function ejectRoutes(services: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();

  app.post('/:id/eject/preflight', async (c) => {
    const { remote_connection_string: dsn, mode, ca_certificate } = await readBody(c, PreflightInput);
    const tenant = await movableTenant(services, c.req.param('id'));
    const findings = await preflight(
      ejectionOf(services, {
        tenant,
        sourceDatabase: tenant.database_name,
        mode,
        target: new Secret(dsn),
        caCertificate: ca_certificate ?? undefined,
      }),
    );
    return c.json({ can_eject: canEject(findings), findings });
  });

  app.post('/:id/eject', async (c) => {
    const tenantId = c.req.param('id');
    const input = await readBody(c, EjectInput);
    const { dry_run, priority, mode, verify, keep_days: keepDays } = input;
    const sealed = (field: 'target' | 'source' | 'replica', plain: string | null | undefined) =>
      plain === null || plain === undefined ? null : sealFor(services, tenantId, { field, plain });
    return acceptJob(c, services, {
      kind: ejectTenantKind,
      payload: {
        tenantId,
        mode,
        verify,
        keepDays,
        sealedTarget: sealFor(services, tenantId, { field: 'target', plain: input.remote_connection_string }),
        sealedSource: sealed('source', input.source_connection_string),
        sealedReplica: sealed('replica', input.read_replica_url),
        caCertificate: input.ca_certificate ?? null,
      },
      // Sealed anew each time, so two equal requests have different payloads.
      identity: createHash('sha256').update(JSON.stringify(input)).digest('hex'),
      options: { dry_run, priority },
      audit: { action: 'tenant.eject-asked', after: { mode, verify } },
      async prepare() {
        await movableTenant(services, tenantId);
      },
    });
  });

  app.post('/:id/eject/flip-back', async (c) => {
    const tenantId = c.req.param('id');
    const { accept_data_loss: acceptDataLoss, ...options } = await readBody(c, FlipBackInput);
    return acceptJob(c, services, {
      kind: flipBackTenantKind,
      payload: { tenantId, acceptDataLoss },
      options,
      audit: { action: 'tenant.flip-back-asked', after: { accept_data_loss: acceptDataLoss } },
      async prepare(client) {
        const tenant = await findTenant(client, tenantId);
        if (tenant === undefined) throw tenantNotFound(tenantId);
        if (tenant.status !== 'moving' && (await findMove(client, tenantId)) !== undefined) return;
        throw new AdminError('conflict', `The tenant '${tenantId}' was not moved away, or is being moved`);
      },
    });
  });

  return app;
}

/** @throws {AdminError} `not_found`, `conflict` */
async function movableTenant({ control }: ApiServices, id: string): Promise<TenantRecord> {
  const tenant = await findTenant(control, id);
  if (tenant === undefined) throw tenantNotFound(id);
  refuseAway(tenant);
  if (tenant.placement_kind !== 'remote') return tenant;
  throw new AdminError('conflict', `The tenant '${id}' has a database of its own already`, {
    hint: 'PATCH changes its connection string',
  });
}
