import pg from 'pg';
import { Secret } from '../../gateway/registry/secrets.ts';
import { type TenantServer, withClient } from '../connections.ts';
import type { JobLease } from '../jobs/job-lease.ts';

const PREFIX = 'cascata-job';
/** How long a cut-off connection may take to be gone. */
const TERMINATE_MS = 5_000;

/** How connections of a run show up in `pg_stat_activity`, and how later runs find them. */
export function connectionName({ jobId, attempt }: { jobId: string; attempt: number }): string {
  return `${PREFIX} ${jobId} ${attempt}`;
}

/**
 * Cuts off connections to this cluster that earlier runs of the job hold, and waits until they are gone: a runner that is paused, or
 * a statement whose runner was killed, writes nothing from here on.
 *
 * @param options.scope `own`: only those of the login that asks, which needs no rights
 */
export async function cutOffEarlierRuns(
  db: Pick<pg.ClientBase | pg.Pool, 'query'>,
  { jobId, attempt }: { jobId: string; attempt: number },
  scope: 'all' | 'own' = 'all',
): Promise<void> {
  await db.query(
    `SELECT pg_terminate_backend(pid, ${TERMINATE_MS}) FROM pg_stat_activity
     WHERE starts_with(application_name, $1) AND split_part(application_name, ' ', 3)::int < $2
       AND ($3 = 'all' OR usename = current_user)`,
    [`${PREFIX} ${jobId} `, attempt, scope],
  );
}

/** Ends statements of this run on this cluster; a closed socket alone would be noticed only when they are done. */
export async function cutOffRun(
  db: Pick<pg.ClientBase | pg.Pool, 'query'>,
  run: { jobId: string; attempt: number },
): Promise<void> {
  await db.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [
    connectionName(run),
  ]);
}

export interface JobConnectionOptions {
  readonly server: Secret | TenantServer;
  readonly lease: JobLease;
  readonly signal: AbortSignal;
}

/** Lends a connection that is the run's own: see `JobContext.connect`. */
export async function withJobConnection<T>(
  { server, lease, signal }: JobConnectionOptions,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const target = server instanceof Secret ? { url: server } : server;
  return withClient({ ...target, applicationName: connectionName(lease) }, async (client) => {
    const onAbort = () => void client.end().catch(() => undefined); // `work` fails by itself then.
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      // A server whose client has gone stops working for it (PostgreSQL 14; other systems may not know the setting).
      await client
        .query(`SELECT set_config('client_connection_check_interval', '2s', false)`)
        .catch(ignoreSqlError);
      await cutOffEarlierRuns(client, lease, 'own').catch(ignoreSqlError);
      // Only now: whoever takes the job after this cuts off a connection that is there to be seen.
      await lease.assert();
      return await work(client);
    } catch (error) {
      // Ending the connection makes the query fail in its own words; the reason is the abort.
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  });
}

function ignoreSqlError(error: unknown): void {
  if (!(error instanceof pg.DatabaseError)) throw error;
}
