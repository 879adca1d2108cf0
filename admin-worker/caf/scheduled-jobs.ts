import { sqlStateOf } from '../connections.ts';
import { type JobContext, JobError } from '../jobs/job.ts';
import { databaseOf } from '../jobs/tenant-connection.ts';
import {
  type CronJob,
  type CronPlace,
  findCron,
  listCronJobs,
  replaceCronJobs,
  silentCronRoles,
} from '../provision/cron-jobs.ts';
import { notePausedJobs, pausedJobs } from '../tenants/resting-jobs.ts';
import { cronTenantOf } from '../tenants/tenant-home.ts';
import { namingOf, type TenantRecord } from '../tenants/tenant-record.ts';
import type { DumpSource } from './dump-source.ts';
import { readForeignJobs } from './foreign-jobs.ts';

export interface ScheduledJobs {
  /** Version of pg_cron; `null`: the cluster has none. */
  readonly pg_cron: string | null;
  readonly jobs: readonly CronJob[];
  /** What there may be beside them, in words. */
  readonly absent: readonly string[];
}

/** Reads what pg_cron does for the tenant: in our cluster, or where its database is if that was not made here. */
export async function readScheduledJobs(
  context: JobContext,
  tenant: TenantRecord,
  source: DumpSource,
): Promise<ScheduledJobs> {
  if (source.foreign !== undefined) {
    const { url } = databaseOf(context.services, tenant);
    return readForeignJobs(context, source, decodeURIComponent(new URL(url.reveal()).username));
  }
  const place = await cronOf(context);
  const owner = cronTenantOf(context.services, { id: tenant.id, naming: namingOf(tenant) });
  if (place === undefined || owner === undefined) return { pg_cron: null, jobs: [], absent: [] };
  // Those that rest while the tenant is moved, or suspended, are not to rest for ever.
  const paused = await pausedJobs(context.services.control, tenant.id);
  const jobs = await context.connect(place.url, (cron) => listCronJobs(cron, owner, paused));
  context.log(`pg_cron ${place.version}: ${jobs.length} jobs`);
  return { pg_cron: place.version, jobs, absent: [] };
}

/** @throws {JobError} `no-pg-cron` when there are jobs and nothing to run them */
export async function checkScheduledJobs(context: JobContext, jobs: readonly CronJob[]): Promise<void> {
  if (jobs.length === 0 || (await cronOf(context)) !== undefined) return;
  throw new JobError(`The archive holds scheduled jobs (${jobs.length}), and this cluster has no pg_cron`, {
    code: 'no-pg-cron',
    hint: 'Have it preloaded and CREATE EXTENSION pg_cron in the database of cron.database_name, or leave the jobs out with "leave_out": ["scheduled_jobs"]',
  });
}

/** Makes the jobs anew, each as the role of the tenant's that it ran as; they rest until the tenant is active. @throws {JobError} `scheduled-jobs` with what pg_cron said */
export async function restoreScheduledJobs(
  context: JobContext,
  { tenant, jobs }: { readonly tenant: TenantRecord; readonly jobs: readonly CronJob[] },
): Promise<void> {
  const place = jobs.length === 0 ? undefined : await cronOf(context);
  const owner = cronTenantOf(context.services, { id: tenant.id, naming: namingOf(tenant) });
  if (place === undefined || owner === undefined) return;
  await context.connect(place.url, async (cron) => {
    await cron.query('BEGIN');
    try {
      const active = await replaceCronJobs(cron, owner, jobs);
      await context.connect(context.services.controlDatabaseUrl, (control) =>
        notePausedJobs(control, tenant.id, active),
      );
    } catch (error) {
      if (sqlStateOf(error) === undefined || !(error instanceof Error)) throw error;
      throw new JobError(`A scheduled job cannot be made: ${error.message}`, {
        code: 'scheduled-jobs',
        hint: 'Leave the jobs out with "leave_out": ["scheduled_jobs"]',
        cause: error,
      });
    }
    await cron.query('COMMIT');
    for (const role of await silentCronRoles(cron, owner, jobs)) {
      context.log(`pg_cron cannot run jobs as ${role}, which may not log in`, 'warn');
    }
  });
}

function cronOf({ services }: JobContext): Promise<CronPlace | undefined> {
  return findCron(services.shared, services.sharedDatabaseUrl);
}
