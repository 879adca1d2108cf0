import type { ClientBase, Pool } from 'pg';
import { type Db, PgBoss } from 'pg-boss';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { JOB_QUEUES } from './job-list.ts';

/** Schema of pg-boss in the control database. */
const SCHEMA = 'pgboss';

/** A job whose runner sends no sign of life for this long is given to another one. */
const HEARTBEAT_SECONDS = 10;
const EXPIRE_SECONDS = 6 * 3_600;
const RETRY_LIMIT = 5;

/** Makes or upgrades the queue's tables. Part of the bootstrap. */
export async function installQueue(controlDatabaseUrl: Secret): Promise<void> {
  const boss = new PgBoss({
    connectionString: controlDatabaseUrl.reveal(),
    schema: SCHEMA,
    application_name: 'cascata-bootstrap',
    max: 2,
    supervise: false,
    schedule: false,
  });
  boss.on('error', () => undefined); // Failures of the calls below rise by themselves.
  try {
    await boss.start();
    for (const name of JOB_QUEUES) {
      await boss.createQueue(name, {
        heartbeatSeconds: HEARTBEAT_SECONDS,
        expireInSeconds: EXPIRE_SECONDS,
        retryLimit: RETRY_LIMIT,
        retryDelay: 1,
        notify: true,
      });
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
