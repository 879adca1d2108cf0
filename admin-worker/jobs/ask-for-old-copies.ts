import type { Pool } from 'pg';
import type { PgBoss } from 'pg-boss';
import { inTransaction } from '../connections.ts';
import { deleteOldCopyKind } from './delete-old-copy-kind.ts';
import { enqueueJob } from './enqueue-job.ts';

/** Asks for a job for each old copy whose time is over and that no such job is about yet. @returns their tenants */
export async function askForOldCopies(control: Pool, boss: PgBoss): Promise<readonly string[]> {
  return inTransaction(control, async (client) => {
    const { rows } = await client.query<{ tenant_id: string }>(
      `SELECT e.tenant_id FROM control.ejections e
       WHERE e.keep_until < now() AND e.old_copy_deleted_at IS NULL AND NOT EXISTS (
         SELECT FROM control.jobs j WHERE j.tenant_id = e.tenant_id AND j.name = $1 AND j.state IN ('queued', 'active'))
       ORDER BY 1 FOR UPDATE OF e SKIP LOCKED`,
      [deleteOldCopyKind.name],
    );
    for (const { tenant_id: tenantId } of rows) {
      await enqueueJob(client, boss, {
        kind: deleteOldCopyKind,
        payload: { tenantId, isDue: true },
        actor: { fingerprint: 'runner', address: undefined },
      });
    }
    return rows.map(({ tenant_id: tenantId }) => tenantId);
  });
}
