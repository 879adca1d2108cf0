import type pg from 'pg';
import { tenantLockKey } from '../tenants/tenant-lock.ts';
import type { JobContext } from './job.ts';

/** Jobs of one tenant wait for each other by their key; this is for whoever changes a tenant without a job, such as its deletion. */
const LOCK_WAIT_MS = 60_000;

/**
 * Holds the lock of whoever changes a tenant's objects while `work` runs. It belongs to a connection of the run: it ends with the step,
 * and the next runner of the job takes it away from one that is paused.
 *
 * @param work gets that connection, to the control database. What must not be written once the lock is lost goes over it.
 */
export function withTenantLock<T>(
  { connect, services }: JobContext,
  tenantId: string,
  work: (control: pg.Client) => Promise<T>,
): Promise<T> {
  return connect(services.controlDatabaseUrl, async (control) => {
    await control.query(`SET lock_timeout = ${LOCK_WAIT_MS}`);
    await control.query('SELECT pg_advisory_lock($1)', [tenantLockKey(tenantId)]);
    await control.query('RESET lock_timeout');
    return work(control);
  });
}
