import { createHash } from 'node:crypto';
import { Hono } from 'hono';
import { z } from 'zod';
import { Secret } from '../../gateway/registry/secrets.ts';
import { canEject } from '../ejection/finding.ts';
import { ejectionOf, returnOf, sealFor, unsealFor } from '../ejection/move.ts';
import { findMove, OLD_COPY_GONE, type PastMove } from '../ejection/moved-tenant.ts';
import { preflight } from '../ejection/preflight.ts';
import { preflightReturn } from '../ejection/preflight-return.ts';
import { deleteOldCopyKind } from '../jobs/delete-old-copy-kind.ts';
import { ejectTenantKind } from '../jobs/eject-tenant-kind.ts';
import { flipBackTenantKind } from '../jobs/flip-back-tenant-kind.ts';
import { repatriateTenantKind } from '../jobs/repatriate-tenant-kind.ts';
import { databaseOf } from '../jobs/tenant-connection.ts';
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
  read_replica_url: Dsn.nullish().describe(
    'A streaming replica of the new database. Its login is used for looking whether it is one; requests get theirs',
  ),
};

/** Body of `POST /v1/tenants/:id/eject/preflight`. */
export const PreflightInput = z.strictObject(Where);

/** Body of `POST /v1/tenants/:id/eject`. */
export const EjectInput = z.strictObject({
  ...Where,
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

/** Body of `POST /v1/tenants/:id/eject/delete-old-copy`. */
export const DeleteOldCopyInput = z.strictObject(JobOptions);

const Back = {
  mode: Where.mode,
  remote_connection_string: Dsn.nullish().describe(
    'The database that the tenant is in, with a login like the one that was given for the move away. Default: that one',
  ),
};

/** Body of `POST /v1/tenants/:id/repatriate/preflight`. */
export const RepatriatePreflightInput = z.strictObject(Back);

/** Body of `POST /v1/tenants/:id/repatriate`. */
export const RepatriateInput = z.strictObject({
  ...Back,
  source_connection_string: Dsn.nullish().describe(
    "online: how this installation's PostgreSQL reaches that database; login and database are put in. Default: as the admin worker does",
  ),
  verify: EjectInput.shape.verify,
  ...JobOptions,
});

/** `/v1/tenants/:id/eject`, `/v1/tenants/:id/eject/delete-old-copy`, `/v1/tenants/:id/eject/flip-back`, `/v1/tenants/:id/eject/preflight`, `/v1/tenants/:id/repatriate`, `/v1/tenants/:id/repatriate/preflight` */
export function ejectRoutes(services: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();

  app.post('/:id/eject/preflight', async (c) => {
    const input = await readBody(c, PreflightInput);
    const { remote_connection_string: dsn, mode, ca_certificate, read_replica_url: replica } = input;
    const tenant = await movableTenant(services, c.req.param('id'));
    const findings = await preflight(
      ejectionOf(services, {
        tenant,
        sourceDatabase: tenant.database_name,
        mode,
        target: new Secret(dsn),
        caCertificate: ca_certificate ?? undefined,
      }),
      replica === null || replica === undefined ? undefined : new Secret(replica),
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
        const { past } = await movedTenant(client, tenantId);
        if (past.old_copy_deleted_at === null) return;
        throw new AdminError('conflict', OLD_COPY_GONE, { hint: `POST /v1/tenants/${tenantId}/repatriate` });
      },
    });
  });

  app.post('/:id/eject/delete-old-copy', async (c) => {
    const tenantId = c.req.param('id');
    const options = await readBody(c, DeleteOldCopyInput);
    return acceptJob(c, services, {
      kind: deleteOldCopyKind,
      payload: { tenantId, isDue: false },
      options,
      audit: { action: 'tenant.delete-old-copy-asked', after: {} },
      async prepare(client) {
        const { past } = await movedTenant(client, tenantId);
        if (past.old_copy_deleted_at !== null)
          throw new AdminError('conflict', 'The old copy has been deleted already');
      },
    });
  });

  app.post('/:id/repatriate/preflight', async (c) => {
    const { mode, remote_connection_string: dsn } = await readBody(c, RepatriatePreflightInput);
    const { tenant, past } = await movedTenant(services.control, c.req.param('id'));
    const move = returnOf(services, {
      tenant,
      homeDatabase: past.from_database,
      mode,
      remote:
        dsn === null || dsn === undefined
          ? unsealFor(services, tenant.id, { field: 'target', sealed: past.sealed_target })
          : new Secret(dsn),
      caCertificate: tenant.ca_certificate ?? undefined,
    });
    const findings = await preflightReturn({
      move,
      cluster: past.old_copy_deleted_at === null ? move.target : { url: services.sharedDatabaseUrl },
      isShared: past.from_kind === 'shared',
      current: dsn === null || dsn === undefined ? undefined : databaseOf(services, tenant),
    });
    return c.json({ can_repatriate: canEject(findings), findings });
  });

  app.post('/:id/repatriate', async (c) => {
    const tenantId = c.req.param('id');
    const input = await readBody(c, RepatriateInput);
    const { dry_run, priority, mode, verify } = input;
    const sealed = (field: 'target' | 'source', plain: string | null | undefined) =>
      plain === null || plain === undefined ? null : sealFor(services, tenantId, { field, plain });
    return acceptJob(c, services, {
      kind: repatriateTenantKind,
      payload: {
        tenantId,
        mode,
        verify,
        sealedRemote: sealed('target', input.remote_connection_string),
        sealedSource: sealed('source', input.source_connection_string),
      },
      identity: createHash('sha256').update(JSON.stringify(input)).digest('hex'),
      options: { dry_run, priority },
      audit: { action: 'tenant.repatriate-asked', after: { mode, verify } },
      async prepare(client) {
        await movedTenant(client, tenantId);
      },
    });
  });

  return app;
}

/** @throws {AdminError} `not_found`, `conflict` */
async function movedTenant(
  db: Parameters<typeof findTenant>[0],
  id: string,
): Promise<{ readonly tenant: TenantRecord; readonly past: PastMove }> {
  const tenant = await findTenant(db, id);
  if (tenant === undefined) throw tenantNotFound(id);
  const past = await findMove(db, id);
  if (tenant.status !== 'moving' && past !== undefined) return { tenant, past };
  throw new AdminError('conflict', `The tenant '${id}' was not moved away, or is being moved`);
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
