import { Hono } from 'hono';
import { z } from 'zod';
import { Passphrase, sealPassphrase, secretMark } from '../caf/passphrase.ts';
import { digestTenantKind } from '../jobs/digest-tenant-kind.ts';
import { findTenant } from '../tenants/tenant-record.ts';
import { tenantNotFound } from '../tenants/update-tenant.ts';
import { acceptJob, JobOptions } from './accept-job.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { readBody } from './read-body.ts';

/** Body of `POST /v1/tenants/:id/digest`. */
export const DigestInput = z.strictObject({
  passphrase: Passphrase.describe(
    'Keys the hash of what is secret; two installations compare with the same one',
  ),
  what: z
    .enum(['all', 'definitions'])
    .default('all')
    .describe('definitions: of tables, functions and so on only, which takes no time'),
  ...JobOptions,
});

/** `/v1/tenants/:id/digest` */
export function digestRoutes(services: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.post('/:id/digest', async (c) => {
    const id = c.req.param('id');
    const { passphrase, what, ...options } = await readBody(c, DigestInput);
    const { masterKey } = services;
    return acceptJob(c, services, {
      kind: digestTenantKind,
      payload: { tenantId: id, sealedPassphrase: sealPassphrase(passphrase, masterKey), what },
      identity: { tenantId: id, what, passphrase: secretMark(passphrase, masterKey) },
      options,
      audit: { action: 'tenant.digest', after: { what } },
      async prepare(client) {
        if ((await findTenant(client, id)) === undefined) throw tenantNotFound(id);
      },
    });
  });
  return app;
}
