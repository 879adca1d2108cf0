import { Hono } from 'hono';
import { z } from 'zod';
import { TRUSTED_WARNING } from '../tenants/change-isolation.ts';
import { createTenant } from '../tenants/create-tenant.ts';
import { deleteTenant } from '../tenants/delete-tenant.ts';
import { CreateTenantInput, UpdateTenantInput } from '../tenants/tenant-input.ts';
import { findTenant, listTenants, type TenantRecord } from '../tenants/tenant-record.ts';
import { tenantView } from '../tenants/tenant-view.ts';
import { tenantNotFound, updateTenant } from '../tenants/update-tenant.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';
import { readBody, readQuery } from './read-body.ts';

export const ListTenantsQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  after: z.string().optional().describe('Id of the last tenant of the page before'),
  status: z.enum(['active', 'suspended', 'moving', 'forwarded']).optional(),
});

/** `/v1/tenants` */
export function tenantRoutes(services: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();

  app.post('/', async (c) => {
    const input = await readBody(c, CreateTenantInput);
    const { tenant, keys } = await createTenant(services, input, c.get('actor'));
    const answer = { tenant: tenantView(tenant), keys, ...warningsOf(services, tenant) };
    return c.json(answer, 201, { Location: `/v1/tenants/${tenant.id}` });
  });

  app.get('/', async (c) => {
    const { tenants, next } = await listTenants(services.control, readQuery(c, ListTenantsQuery));
    return c.json({ tenants: tenants.map(tenantView), next: next ?? null });
  });

  app.get('/:id', async (c) => {
    const id = c.req.param('id');
    const tenant = await findTenant(services.control, id);
    if (tenant === undefined) throw tenantNotFound(id);
    return c.json({ tenant: tenantView(tenant) });
  });

  app.patch('/:id', async (c) => {
    const input = await readBody(c, UpdateTenantInput);
    const tenant = await updateTenant(services, { id: c.req.param('id'), input, actor: c.get('actor') });
    return c.json({
      tenant: tenantView(tenant),
      ...warningsOf(services, tenant, input.isolation ?? 'unchanged'),
    });
  });

  app.delete('/:id', async (c) => {
    const id = c.req.param('id');
    if (c.req.query('confirm') !== id) {
      throw new AdminError('invalid_request', `Deleting '${id}' needs ?confirm=${id}`, {
        details: [{ path: 'confirm', message: 'must be the id of the tenant' }],
      });
    }
    const contents = c.req.query('contents');
    if (contents !== undefined && contents !== 'delete') {
      throw new AdminError('invalid_request', 'contents can be "delete", or absent');
    }
    await deleteTenant(services, { id, withContents: contents === 'delete', actor: c.get('actor') });
    return c.body(null, 204);
  });

  return app;
}

/** What an operator should know of what was just done. */
function warningsOf(
  { pgbouncer }: Pick<ApiServices, 'pgbouncer'>,
  { placement_kind, isolation }: TenantRecord,
  given: string | undefined = isolation,
): { readonly warnings?: readonly string[] } {
  const warnings: string[] = [];
  if (placement_kind === 'shared' && given === 'trusted') warnings.push(TRUSTED_WARNING);
  const untold = placement_kind === 'database' ? pgbouncer?.warning : undefined;
  if (untold !== undefined) warnings.push(untold);
  return warnings.length === 0 ? {} : { warnings };
}
