import { Hono } from 'hono';
import { z } from 'zod';
import { applyMigrationsKind } from '../jobs/apply-migrations-kind.ts';
import { announceSchemaChange } from '../jobs/tenant-migrations.ts';
import { MIGRATION_NAME, migrationChecksum } from '../provision/migration-file.ts';
import { refuseAway } from '../tenants/refuse-away.ts';
import { findTenant } from '../tenants/tenant-record.ts';
import { tenantNotFound } from '../tenants/update-tenant.ts';
import { acceptJob, JobOptions } from './accept-job.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { readBody } from './read-body.ts';

const Migration = z.strictObject({
  name: z.string().regex(MIGRATION_NAME, { error: 'must look like YYYYMMDDHHMM__name.sql' }),
  sql: z
    .string()
    .min(1)
    .max(8 * 1024 * 1024),
});

/** Body of `POST /v1/tenants/:id/migrations`. */
export const MigrationsInput = z.strictObject({
  migrations: z
    .array(Migration)
    .min(1)
    .max(1000)
    .refine((migrations) => new Set(migrations.map(({ name }) => name)).size === migrations.length, {
      error: 'names a migration twice',
    }),
  ...JobOptions,
});

/** `/v1/tenants/:id/migrations`, `/v1/tenants/:id/schema/reload` */
export function migrationRoutes(services: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();

  app.get('/:id/migrations', async (c) => {
    const id = c.req.param('id');
    if ((await findTenant(services.control, id)) === undefined) throw tenantNotFound(id);
    const { rows } = await services.control.query(
      `SELECT name, checksum, state, applied_at FROM control.tenant_migrations WHERE tenant_id = $1 ORDER BY name`,
      [id],
    );
    return c.json({ migrations: rows });
  });

  app.post('/:id/migrations', async (c) => {
    const id = c.req.param('id');
    const { migrations, ...options } = await readBody(c, MigrationsInput);
    return acceptJob(c, services, {
      kind: applyMigrationsKind,
      payload: { tenantId: id, migrations },
      options,
      audit: {
        action: 'migrations.apply',
        after: {
          migrations: migrations.map(({ name, sql }) => ({ name, checksum: migrationChecksum(sql) })),
        },
      },
      async prepare(client) {
        const tenant = await findTenant(client, id);
        if (tenant === undefined) throw tenantNotFound(id);
        refuseAway(tenant);
      },
    });
  });

  app.post('/:id/schema/reload', async (c) => {
    const id = c.req.param('id');
    if (!(await announceSchemaChange(services.control, id))) throw tenantNotFound(id);
    return c.body(null, 204);
  });

  return app;
}
