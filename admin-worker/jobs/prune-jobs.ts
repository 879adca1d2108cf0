import type { Pool } from 'pg';

const BATCH = 1_000;

/** Deletes jobs that ended more than `days` days ago, with their events, logs and idempotency keys. @returns how many */
export async function pruneJobs(control: Pool, days: number): Promise<number> {
  for (let pruned = 0; ; ) {
    // In small pieces: the locks of one huge DELETE would hold up whoever reads an event.
    const { rowCount } = await control.query(
      `DELETE FROM control.jobs WHERE id IN (
         SELECT id FROM control.jobs WHERE finished_at < now() - $1 * interval '1 day' LIMIT ${BATCH})`,
      [days],
    );
    pruned += rowCount ?? 0;
    if (rowCount !== BATCH) return pruned;
  }
}
