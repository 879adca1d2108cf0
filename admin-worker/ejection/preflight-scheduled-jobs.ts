import { withClient } from '../connections.ts';
import { findCron, listCronJobs } from '../provision/cron-jobs.ts';
import { namingOf } from '../tenants/tenant-record.ts';
import { type Finding, finding } from './finding.ts';
import type { Move } from './move.ts';

/** What pg_cron does for the tenant belongs to the cluster: it does not go along, and goes on here, on tables that are closed by then. */
export async function inspectScheduledJobs({ tenant, source }: Move): Promise<readonly Finding[]> {
  const applicationName = 'cascata-preflight';
  const cron = await withClient({ ...source, applicationName }, (client) => findCron(client, source.url));
  if (cron === undefined) return [];
  const database = decodeURIComponent(new URL(source.url.reveal()).pathname.slice(1));
  const jobs = await withClient({ url: cron.url, applicationName }, (client) =>
    listCronJobs(client, { id: tenant.id, naming: namingOf(tenant), database }),
  );
  const active = jobs.filter((job) => job.active).length;
  if (active === 0) return [];
  return [
    finding('warning', 'scheduled_jobs', {
      object: 'source',
      text: `${active} jobs of pg_cron work for the tenant here. They are not moved, and go on here with the old copy, where they cannot write`,
      todo: 'Schedule them at the new place, and unschedule them here once the tenant has moved',
    }),
  ];
}
