import { createHash } from 'node:crypto';
import { Hono } from 'hono';
import { z } from 'zod';
import { Adoption, AdoptPreflightInput } from '../adoption/adopt-input.ts';
import { adoptionPlan, preflightAdopt } from '../adoption/preflight-adopt.ts';
import { canEject } from '../ejection/finding.ts';
import { sealFor } from '../ejection/move.ts';
import { adoptTenantKind } from '../jobs/adopt-tenant-kind.ts';
import { problemOfTenantId } from '../provision/tenant-names.ts';
import { refuseShadowing } from '../tenants/create-tenant.ts';
import { findTenant } from '../tenants/tenant-record.ts';
import { acceptJob, JobOptions } from './accept-job.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';
import { readBody } from './read-body.ts';

/** Body of `POST /v1/tenants/:id/adopt`. */
export const AdoptInput = z.strictObject({ ...Adoption.shape, ...JobOptions });

/** `/v1/tenants/:id/adopt`, `/v1/tenants/:id/adopt/preflight` */
export function adoptRoutes(services: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();

  app.post('/:id/adopt/preflight', async (c) => {
    const tenantId = newId(c.req.param('id'));
    const place = await readBody(c, AdoptPreflightInput);
    const findings = await preflightAdopt(await adoptionPlan(services, tenantId, place));
    return c.json({ can_adopt: canEject(findings), findings });
  });

  app.post('/:id/adopt', async (c) => {
    const tenantId = newId(c.req.param('id'));
    const input = await readBody(c, AdoptInput);
    const { dry_run, priority, ...adoption } = input;
    return acceptJob(c, services, {
      kind: adoptTenantKind,
      payload: {
        tenantId,
        sealedAdoption: sealFor(services, tenantId, { field: 'adoption', plain: JSON.stringify(adoption) }),
      },
      // Sealed anew each time, so two equal requests have different payloads.
      identity: createHash('sha256').update(JSON.stringify(input)).digest('hex'),
      options: { dry_run, priority },
      audit: { action: 'tenant.adopt-asked', after: { hosts: adoption.hosts, schemas: adoption.schemas } },
      async prepare(client) {
        if ((await findTenant(client, tenantId)) !== undefined) {
          throw new AdminError('conflict', `There is a tenant '${tenantId}' already`);
        }
        await refuseShadowing(client, tenantId, tenantId);
        const { rows } = await client.query<{ host: string }>(
          'SELECT host FROM control.tenant_hosts WHERE host = ANY ($1::text[]) LIMIT 1',
          [adoption.hosts],
        );
        if (rows[0] === undefined) return;
        throw new AdminError('conflict', `The host '${rows[0].host}' belongs to another tenant already`);
      },
    });
  });

  return app;
}

/** @throws {AdminError} `invalid_request` */
function newId(id: string): string {
  const problem = problemOfTenantId(id);
  if (problem === undefined) return id;
  throw new AdminError('invalid_request', `The tenant's id ${problem}`, {
    details: [{ path: 'id', message: problem }],
  });
}
