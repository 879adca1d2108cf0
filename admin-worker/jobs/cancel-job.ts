import type { PgBoss } from 'pg-boss';
import { AdminError } from '../api/admin-error.ts';
import { inTransaction } from '../connections.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { type Actor, recordAudit } from '../tenants/audit.ts';
import { startNow } from './enqueue-job.ts';
import type { JobRecord } from './job-record.ts';
import { CANCEL_CHANNEL, findJob } from './job-store.ts';
import { dbOver } from './queue.ts';

/**
 * Cancels a job: one that waits at once, one that runs as soon as its runner has heard of it and undone what was done. A job that is
 * over stays as it is.
 *
 * @param options.id of a job that exists
 * @throws {AdminError} `conflict` when the job can only go forward
 */
export async function cancelJob(
  { control }: AdminServices,
  boss: PgBoss,
  { id, actor }: { id: string; actor: Actor },
): Promise<JobRecord> {
  return inTransaction(control, async (client) => {
    const { rows } = await client.query<CancelledRow>(
      `UPDATE control.jobs
       SET is_cancel_requested = NOT is_past_return, updated_at = now(),
         state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END,
         finished_at = CASE state WHEN 'queued' THEN now() END
       WHERE id = $1 AND state IN ('queued', 'active') RETURNING name, state, tenant_id, is_past_return`,
      [id],
    );
    const job = rows[0];
    if (job === undefined) return (await findJob(client, id))!;
    if (job.is_past_return) {
      throw new AdminError('conflict', `The job ${id} is past the point where it could be undone`, {
        hint: 'It ends by itself; if it fails, its error says what is left to do',
      });
    }
    await recordAudit(client, {
      actor,
      action: 'job.cancel',
      tenantId: job.tenant_id ?? undefined,
      after: { job: id },
    });
    if (job.state === 'cancelled') await boss.cancel(job.name, id, { db: dbOver(client) });
    else {
      // Its runner hears of it; a job between two attempts is taken up to be undone.
      await client.query(`SELECT pg_notify('${CANCEL_CHANNEL}', $1)`, [id]);
      await startNow(boss, { id, name: job.name }, { db: client });
    }
    return (await findJob(client, id))!;
  });
}

interface CancelledRow {
  readonly name: string;
  readonly state: string;
  readonly tenant_id: string | null;
  readonly is_past_return: boolean;
}
