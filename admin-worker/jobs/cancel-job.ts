import { inTransaction } from '../connections.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { type Actor, recordAudit } from '../tenants/audit.ts';
import { findJob, type JobRecord, markFinished } from './job-store.ts';

/**
 * Cancels a job: one that waits at once, one that runs as soon as its runner has heard of it. A job that is over stays as it is.
 *
 * @param options.id of a job that exists
 */
export async function cancelJob(
  { control }: AdminServices,
  { id, actor }: { id: string; actor: Actor },
): Promise<JobRecord> {
  return inTransaction(control, async (client) => {
    const { rows } = await client.query<{ state: string; tenant_id: string | null }>(
      `UPDATE control.jobs SET is_cancel_requested = true, updated_at = now()
       WHERE id = $1 AND state IN ('queued', 'active') RETURNING state, tenant_id`,
      [id],
    );
    const job = rows[0];
    if (job !== undefined) {
      await recordAudit(client, {
        actor,
        action: 'job.cancel',
        tenantId: job.tenant_id ?? undefined,
        after: { job: id },
      });
      if (job.state === 'queued') await markFinished(client, { id, state: 'cancelled' });
      // The runner of an active job listens on this channel too.
      else await client.query(`SELECT pg_notify('cascata_jobs', $1)`, [id]);
    }
    return (await findJob(client, id))!;
  });
}
