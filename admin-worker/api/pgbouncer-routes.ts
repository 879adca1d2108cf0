import { Hono } from 'hono';
import { z } from 'zod';
import type { PgBouncerConfig } from '../pgbouncer/pgbouncer-config.ts';
import { tenantDatabaseName } from '../provision/database-tenant.ts';
import { recordAudit } from '../tenants/audit.ts';
import { findTenant } from '../tenants/tenant-record.ts';
import { tenantNotFound } from '../tenants/update-tenant.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';
import { readBody } from './read-body.ts';

const OneTenant = {
  tenant: z
    .string()
    .nullish()
    .describe('One with a database of its own. Default: all databases that are reached through PgBouncer'),
};

/** Below PgBouncer's `query_wait_timeout`, beyond which it sends requests away. */
const MAX_SECONDS = 7;
const WAIT_MS = 5_000;

/** Body of `POST /v1/pgbouncer/pause`. */
export const PauseInput = z.strictObject({
  ...OneTenant,
  seconds: z.int().min(1).max(MAX_SECONDS).default(5).describe('After which requests go on by themselves'),
});

/** Body of `POST /v1/pgbouncer/resume`. */
export const ResumeInput = z.strictObject(OneTenant);

/** `/v1/pgbouncer`: requests wait for as long as their database is worked on. */
export function pgbouncerRoutes(services: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();

  app.post('/pause', async (c) => {
    const { tenant, seconds } = await readBody(c, PauseInput);
    const { pauses } = configured(services);
    const database = await databaseOf(services, tenant);
    await recordAudit(services.control, {
      actor: c.get('actor'),
      action: 'pgbouncer.pause',
      tenantId: tenant ?? undefined,
      after: { seconds },
    });
    try {
      const until = await pauses.begin(database, { waitMs: WAIT_MS, forMs: seconds * 1_000 });
      return c.json({ paused: { database: database ?? null, until: until.toISOString() } });
    } catch (cause) {
      throw new AdminError('conflict', 'The database did not come to rest, or PgBouncer cannot be reached', {
        hint: `Transactions have ${WAIT_MS / 1000} seconds to end; nothing is held now`,
        cause,
      });
    }
  });

  app.post('/resume', async (c) => {
    const { tenant } = await readBody(c, ResumeInput);
    const { pauses } = configured(services);
    const database = tenant === null || tenant === undefined ? undefined : tenantDatabaseName(tenant);
    await pauses.end(database);
    return c.json({ paused: null });
  });

  return app;
}

/** @throws {AdminError} `conflict` */
function configured({ pgbouncer }: ApiServices): PgBouncerConfig {
  if (pgbouncer !== undefined) return pgbouncer;
  throw new AdminError('conflict', 'This installation configures no PgBouncer', {
    hint: 'PGBOUNCER_URL and PGBOUNCER_CONFIG_DIR (pgbouncer/README.md)',
  });
}

/** @throws {AdminError} `not_found`, `conflict` */
async function databaseOf(
  { control }: ApiServices,
  id: string | null | undefined,
): Promise<string | undefined> {
  if (id === null || id === undefined) return undefined;
  const tenant = await findTenant(control, id);
  if (tenant === undefined) throw tenantNotFound(id);
  if (tenant.database_name !== null) return tenant.database_name;
  throw new AdminError('conflict', `The tenant '${id}' has no database of its own here`);
}
