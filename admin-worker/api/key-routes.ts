import { Hono } from 'hono';
import { z } from 'zod';
import { rotateKeys } from '../tenants/rotate-keys.ts';
import { readTenantKeys } from '../tenants/tenant-keys.ts';
import { findTenant } from '../tenants/tenant-record.ts';
import { tenantNotFound } from '../tenants/update-tenant.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { readBody } from './read-body.ts';

/** Body of `POST /v1/tenants/:id/keys/rotate`. */
export const RotateKeysInput = z.strictObject({
  keys: z
    .array(z.enum(['publishable', 'secret', 'jwt']))
    .min(1)
    .default(['publishable', 'secret'])
    .describe('jwt: a new JWT secret, which ends every session and renews anon and service_role'),
});

/** `/v1/tenants/:id/keys` */
export function keyRoutes(services: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();

  app.get('/:id/keys', async (c) => {
    const id = c.req.param('id');
    const tenant = await findTenant(services.control, id);
    if (tenant === undefined) throw tenantNotFound(id);
    return c.json({ keys: await readTenantKeys(services.control, tenant, services.masterKey) });
  });

  app.post('/:id/keys/rotate', async (c) => {
    const { keys: kinds } = await readBody(c, RotateKeysInput);
    const keys = await rotateKeys(services, { id: c.req.param('id'), kinds, actor: c.get('actor') });
    return c.json({ keys });
  });

  return app;
}
