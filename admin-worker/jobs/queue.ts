import type { ClientBase, Pool } from 'pg';
import { type Db, PgBoss } from 'pg-boss';
import type { Secret } from '../../gateway/registry/secrets.ts';

/** Schema of pg-boss in the control database. */
const SCHEMA = 'pgboss';

/** A job whose runner sends no sign of life for this long is given to another one. */
const HEARTBEAT_SECONDS = 10;
/** pg-boss only lends and lends again: how often is enough is counted in `control.jobs`, where a last run also undoes. */
const RETRY_LIMIT = 100_000;
const MAX_RETRY_DELAY_SECONDS = 60;
/** pg-boss forgets a job that waited this long; the most it allows. */
const RETENTION_SECONDS = 365 * 86_400;
/** What is over is kept in `control.jobs`; the payload goes with the queue's row. */
const DELETE_AFTER_SECONDS = 86_400;

/** Queue of the tidying that every installation needs. */
export const PRUNE_QUEUE = 'prune-jobs';
/** Queue of the hour at which unused files of extensions are to be deleted; it makes a job of it. */
export const COLLECT_QUEUE = 'collect-payloads-tick';

/** Queue of the look for old copies whose time is over. */
export const OLD_COPIES_QUEUE = 'delete-old-copies';

/**
 * Makes or upgrades the queue's tables. Part of the bootstrap.
 *
 * @param kinds names of the kinds of jobs; each has a queue of its name
 */
export async function installQueue(controlDatabaseUrl: Secret, kinds: readonly string[]): Promise<void> {
  const boss = new PgBoss({
    connectionString: controlDatabaseUrl.reveal(),
    schema: SCHEMA,
    application_name: 'cascata-bootstrap',
    max: 2,
    supervise: false,
    schedule: false,
  });
  boss.on('error', () => undefined); // Failures of the calls below rise by themselves.
  const options = {
    heartbeatSeconds: HEARTBEAT_SECONDS,
    retryLimit: RETRY_LIMIT,
    retryBackoff: true,
    retryDelayMax: MAX_RETRY_DELAY_SECONDS,
    retentionSeconds: RETENTION_SECONDS,
    deleteAfterSeconds: DELETE_AFTER_SECONDS,
    notify: true,
  };
  try {
    await boss.start();
    for (const name of kinds) {
      await boss.createQueue(name, options);
      await boss.updateQueue(name, options);
    }
    for (const name of [PRUNE_QUEUE, OLD_COPIES_QUEUE, COLLECT_QUEUE]) {
      await boss.createQueue(name, { policy: 'exclusive', retryLimit: 0, notify: true });
    }
  } finally {
    await boss.stop({ graceful: false });
  }
}

/** A pg-boss that only puts jobs into queues, over a pool of the caller's. */
export function openSender(pool: Pool, onError: (cause: unknown) => void): PgBoss {
  const boss = new PgBoss({
    db: dbOver(pool),
    schema: SCHEMA,
    supervise: false,
    schedule: false,
    migrate: false,
    createSchema: false,
  });
  boss.on('error', onError);
  return boss;
}

/** A pg-boss that works on jobs and keeps the queues tidy. */
export function openWorker(controlDatabaseUrl: Secret, onError: (cause: unknown) => void): PgBoss {
  const boss = new PgBoss({
    connectionString: controlDatabaseUrl.reveal(),
    schema: SCHEMA,
    application_name: 'cascata-runner-queue',
    max: 4,
    migrate: false,
    createSchema: false,
    useListenNotify: true,
    monitorIntervalSeconds: 2,
    superviseIntervalSeconds: 2,
  });
  boss.on('error', onError);
  return boss;
}

/** Lets pg-boss run its statements over a connection of ours, in the transaction that is open there. */
export function dbOver(client: Pick<ClientBase | Pool, 'query'>): Db {
  return { executeSql: async (text, values) => client.query(text, values === undefined ? [] : [...values]) };
}
