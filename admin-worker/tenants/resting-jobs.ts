import type { ClientBase } from 'pg';
import { withClient } from '../connections.ts';
import {
  activeCronJobs,
  type CronPlace,
  type CronTenant,
  findCron,
  setCronJobsActive,
} from '../provision/cron-jobs.ts';
import type { AdminServices } from './admin-services.ts';
import { cronTenantOf } from './tenant-home.ts';
import { findTenant, namingOf } from './tenant-record.ts';

type Queryable = Pick<ClientBase, 'query'>;
const applicationName = 'cascata-cron';

/*
 * What pg_cron does for a tenant rests while the tenant does: while it is suspended, while its writes are held for a move to another installation, and once it is there. pg_cron and
 * the registry are two databases, so which jobs were active is written down before any of them is told, and forgotten when all of them have been told to go on. Whoever dies in between leaves
 * a row from which the next one goes on.
 */

/** Ids of jobs that rest now and are active otherwise. */
export async function pausedJobs(db: Queryable, tenantId: string): Promise<readonly string[]> {
  const { rows } = await db.query<{ jobs: string[] }>(
    'SELECT jobs::text[] AS jobs FROM control.paused_jobs WHERE tenant_id = $1',
    [tenantId],
  );
  return rows[0]?.jobs ?? [];
}

/** Notes jobs that were made at rest. They go on when their tenant does. */
export async function notePausedJobs(db: Queryable, tenantId: string, ids: readonly string[]): Promise<void> {
  await db.query(
    `INSERT INTO control.paused_jobs (tenant_id, jobs, is_done) VALUES ($1, $2, true)
     ON CONFLICT (tenant_id) DO UPDATE SET jobs = EXCLUDED.jobs, is_done = true`,
    [tenantId, ids],
  );
}

/** Has the tenant's jobs rest, or go on, as its status wants it. To be asked after each change of that; asked again it changes nothing. */
export async function settleScheduledJobs(services: AdminServices, tenantId: string): Promise<void> {
  const place = await findCron(services.shared, services.sharedDatabaseUrl);
  if (place !== undefined) await settle(services, place, tenantId);
}

/** The same; where pg_cron cannot be reached it is told later. */
export async function trySettleScheduledJobs(services: AdminServices, tenantId: string): Promise<void> {
  await settleScheduledJobs(services, tenantId).catch((cause: unknown) =>
    services.observe({ kind: 'upstream-failed', tenantId, upstream: 'pg_cron', cause }),
  );
}

/** The same for all that are not as they should be: what whoever was killed has left. */
export async function settleAllScheduledJobs(services: AdminServices): Promise<void> {
  const { rows } = await services.control.query<{ id: string }>(UNSETTLED);
  if (rows.length === 0) return;
  const place = await findCron(services.shared, services.sharedDatabaseUrl);
  if (place === undefined) return;
  for (const { id } of rows) {
    await settle(services, place, id).catch((cause: unknown) =>
      services.observe({ kind: 'upstream-failed', tenantId: id, upstream: 'pg_cron', cause }),
    );
  }
}

function settle(services: AdminServices, place: CronPlace, tenantId: string): Promise<void> {
  return withClient({ url: services.controlDatabaseUrl, applicationName }, async (control) => {
    // Of the session: what is written down has to be there before pg_cron is told.
    await control.query(`SELECT pg_advisory_lock(hashtextextended('scheduled-jobs/' || $1, 0))`, [tenantId]);
    const tenant = await findTenant(control, tenantId);
    const owner =
      tenant === undefined ? undefined : cronTenantOf(services, { id: tenantId, naming: namingOf(tenant) });
    if (owner === undefined) return;
    const { rows } = await control.query<{ rests: boolean; works: boolean }>(STATE, [tenantId]);
    const { rests = false, works = false } = rows[0] ?? {};
    await withClient({ url: place.url, applicationName }, async (cron) => {
      if (rests) await pause(control, cron, owner);
      else if (works) await resume(control, cron, owner);
    });
  });
}

async function pause(control: Queryable, cron: Queryable, owner: CronTenant): Promise<void> {
  await control.query(
    'INSERT INTO control.paused_jobs (tenant_id, jobs) VALUES ($1, $2) ON CONFLICT (tenant_id) DO NOTHING',
    [owner.id, await activeCronJobs(cron, owner)],
  );
  await setCronJobsActive(cron, owner, { ids: await pausedJobs(control, owner.id), active: false });
  await control.query('UPDATE control.paused_jobs SET is_done = true WHERE tenant_id = $1', [owner.id]);
}

async function resume(control: Queryable, cron: Queryable, owner: CronTenant): Promise<void> {
  await setCronJobsActive(cron, owner, { ids: await pausedJobs(control, owner.id), active: true });
  await control.query('DELETE FROM control.paused_jobs WHERE tenant_id = $1', [owner.id]);
}

const FROZEN = `EXISTS (SELECT FROM control.moves m WHERE m.tenant_id = t.id AND m.state = 'frozen')`;
const RESTS = `(t.status IN ('suspended', 'forwarded') OR ${FROZEN})`;
/** Neither: one that is being ejected, which was working or resting before and will be again. */
const STATE = `SELECT ${RESTS} AS rests, t.status = 'active' AS works FROM control.tenants t WHERE t.id = $1`;

/** Tenants that rest and whose jobs have not been told, and those that work and whose jobs rest. */
const UNSETTLED = `
  SELECT t.id FROM control.tenants t LEFT JOIN control.paused_jobs p ON p.tenant_id = t.id
  WHERE t.status <> 'active' AND t.role_prefix IS NOT NULL AND ${RESTS} AND p.is_done IS NOT TRUE
  UNION ALL
  SELECT t.id FROM control.paused_jobs p JOIN control.tenants t ON t.id = p.tenant_id WHERE t.status = 'active'
  LIMIT 100`;
