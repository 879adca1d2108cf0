import type { ClientBase, Pool } from 'pg';
import { tenantLogin } from '../../gateway/platform/derived-logins.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import type { TenantNaming } from '../../gateway/registry/tenant.ts';
import { withClient, withDatabase } from '../connections.ts';
import { tenantRoles } from './tenant-names.ts';

/*
 * pg_cron keeps the jobs of a whole cluster in one database. A tenant's are those that run in its database as one of its own roles.
 */

type Queryable = Pick<ClientBase | Pool, 'query'>;

/** Where a cluster keeps its jobs. */
export interface CronPlace {
  /** Superuser DSN. */
  readonly url: Secret;
  /** Of the extension. */
  readonly version: string;
}

export interface CronJob {
  /** `null`: it has none. */
  readonly name: string | null;
  readonly schedule: string;
  readonly command: string;
  readonly active: boolean;
  readonly role: CronRole;
}

/** Which of the tenant's roles a job runs as. */
export const CRON_ROLES = ['owner', 'anon', 'authenticated', 'serviceRole', 'login'] as const;
export type CronRole = (typeof CRON_ROLES)[number];

/** Whose jobs, and where they run. */
export interface CronTenant {
  readonly id: string;
  readonly naming: TenantNaming;
  readonly database: string;
}

/** `undefined` when the cluster runs no pg_cron, or nobody has made the extension. @param clusterUrl superuser DSN of any of its databases */
export async function findCron(db: Queryable, clusterUrl: Secret): Promise<CronPlace | undefined> {
  const { rows } = await db.query<{ name: string }>(
    `SELECT datname::text AS name FROM pg_database WHERE datname = current_setting('cron.database_name', true)`,
  );
  if (rows[0] === undefined) return undefined;
  const url = withDatabase(clusterUrl, rows[0].name);
  return withClient({ url, applicationName: 'cascata-cron' }, async (client) => {
    const { rows: found } = await client.query<{ version: string }>(
      `SELECT extversion AS version FROM pg_extension WHERE extname = 'pg_cron'`,
    );
    return found[0] === undefined ? undefined : { url, version: found[0].version };
  });
}

/**
 * In an order that does not depend on when they were made.
 *
 * @param cron connection to the database of `CronPlace`
 * @param paused ids of jobs that rest for a while: they are active
 */
export async function listCronJobs(
  cron: Queryable,
  tenant: CronTenant,
  paused: readonly string[] = [],
): Promise<readonly CronJob[]> {
  const roles = rolesOf(tenant);
  const { rows } = await cron.query<Omit<CronJob, 'role'> & { username: string }>(
    `SELECT jobname::text AS name, schedule, command, active OR jobid = ANY ($3::bigint[]) AS active, username FROM cron.job
     WHERE database = $1 AND username = ANY ($2::text[])
     ORDER BY jobname::text COLLATE "C" NULLS LAST, schedule COLLATE "C", command COLLATE "C", username COLLATE "C"`,
    [tenant.database, CRON_ROLES.map((role) => roles[role]), paused],
  );
  return rows.map(({ username, ...job }) => ({
    ...job,
    role: CRON_ROLES.find((role) => roles[role] === username)!,
  }));
}

/**
 * Makes jobs, in place of those that the tenant has. They get numbers of this cluster's, and rest.
 *
 * @param cron superuser connection to the database of `CronPlace`, in a transaction
 * @returns ids of those that are to be active
 * @throws {pg.DatabaseError} for a schedule that is none
 */
export async function replaceCronJobs(
  cron: Queryable,
  tenant: CronTenant,
  jobs: readonly CronJob[],
): Promise<readonly string[]> {
  await dropCronJobs(cron, tenant);
  const roles = rolesOf(tenant);
  const active: string[] = [];
  for (const { name, schedule, command, active: isActive, role } of jobs) {
    // It checks the schedule. Under its own name and role straight away, pg_cron would refuse roles that an operator lets log in only later.
    const { rows } = await cron.query<{ id: string }>('SELECT cron.schedule($1, $2) AS id', [
      schedule,
      command,
    ]);
    const { id } = rows[0]!;
    await cron.query(
      'UPDATE cron.job SET jobname = $2, database = $3, username = $4, active = false WHERE jobid = $1',
      [id, name, tenant.database, roles[role]],
    );
    if (isActive) active.push(id);
  }
  return active;
}

/** Ids of those that pg_cron runs. */
export async function activeCronJobs(cron: Queryable, tenant: CronTenant): Promise<readonly string[]> {
  const { rows } = await cron.query<{ id: string }>(
    'SELECT jobid AS id FROM cron.job WHERE active AND database = $1 AND username = ANY ($2::text[]) ORDER BY jobid',
    [tenant.database, Object.values(rolesOf(tenant))],
  );
  return rows.map(({ id }) => id);
}

/** Has jobs of the tenant's rest, or run again. Those that are gone are gone. @param cron superuser connection to the database of `CronPlace` */
export async function setCronJobsActive(
  cron: Queryable,
  tenant: CronTenant,
  { ids, active }: { readonly ids: readonly string[]; readonly active: boolean },
): Promise<void> {
  await cron.query(
    `UPDATE cron.job SET active = ${active}
     WHERE jobid = ANY ($3::bigint[]) AND database = $1 AND username = ANY ($2::text[])`,
    [tenant.database, Object.values(rolesOf(tenant)), ids],
  );
}

export async function dropCronJobs(cron: Queryable, tenant: CronTenant): Promise<void> {
  await cron.query('DELETE FROM cron.job WHERE database = $1 AND username = ANY ($2::text[])', [
    tenant.database,
    Object.values(rolesOf(tenant)),
  ]);
}

/** Roles of a tenant's jobs that may not log in here: pg_cron cannot run these. */
export async function silentCronRoles(
  cron: Queryable,
  tenant: CronTenant,
  jobs: readonly CronJob[],
): Promise<readonly string[]> {
  const roles = rolesOf(tenant);
  const { rows } = await cron.query<{ name: string }>(
    'SELECT rolname::text AS name FROM pg_roles WHERE rolname = ANY ($1::text[]) AND NOT rolcanlogin ORDER BY 1',
    [jobs.map(({ role }) => roles[role])],
  );
  return rows.map(({ name }) => name);
}

function rolesOf({ id, naming }: CronTenant): Readonly<Record<CronRole, string>> {
  return { ...tenantRoles(naming), login: tenantLogin(id) };
}
