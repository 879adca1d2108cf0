import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../launcher/embedded-postgres.ts';

/** A server on a port of its own that can be stopped and started again with its data. */
export interface RestartableServer {
  readonly port: number;
  /** Superuser DSN. */
  url(database?: string): string;
  /** `fast`: sessions are cut off, everything committed is on disk. */
  stop(): Promise<void>;
  /** On the same port. */
  start(): Promise<void>;
}

/** A primary and servers that stream its log. `close` stops all and removes their files. */
export interface Replication {
  readonly primary: RestartableServer;
  readonly replicas: readonly RestartableServer[];
  close(): Promise<void>;
}

const SETTINGS = {
  max_connections: '60',
  shared_buffers: '16MB',
  fsync: 'off',
  autovacuum: 'off',
  wal_level: 'replica',
  max_wal_senders: '10',
};

/**
 * Starts a PostgreSQL and streaming replicas of it. The base backup is made by `pg_backup_start`, a copy of the files and `pg_backup_stop`: the
 * packages of the binaries have no `pg_basebackup`.
 *
 * @param options.sql run on the database `postgres` of the primary before the backup
 */
export async function startReplication(
  options: { replicas?: number; sql?: string; replicaSettings?: Readonly<Record<string, string>> } = {},
): Promise<Replication> {
  const directory = await mkdtemp(join(tmpdir(), 'cascata-replication-'));
  const servers: RestartableServer[] = [];
  const close = async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const clusterDir = join(directory, 'primary');
    const primary = await startServer(clusterDir, SETTINGS);
    servers.push(primary);
    if (options.sql !== undefined) await runOn(primary.url(), options.sql);
    const replicas: RestartableServer[] = [];
    for (let i = 0; i < (options.replicas ?? 1); i++) {
      const target = join(directory, `replica-${i}`);
      await copyRunning(primary, clusterDir, target);
      const replica = await startServer(target, {
        ...SETTINGS,
        primary_conninfo: `host=127.0.0.1 port=${primary.port} user=postgres application_name=replica_${i}`,
        wal_receiver_status_interval: '1s',
        wal_retrieve_retry_interval: '100ms',
        ...options.replicaSettings,
      });
      servers.push(replica);
      replicas.push(replica);
    }
    return { primary, replicas, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Starts a server with its data in `clusterDir`, which is made when absent. */
export async function startServer(
  clusterDir: string,
  settings: Readonly<Record<string, string>> = SETTINGS,
): Promise<RestartableServer> {
  const options = { clusterDir, auth: { kind: 'trust' }, settings } as const;
  let running: EmbeddedPostgres | undefined = await startEmbeddedPostgres({ ...options, port: 0 });
  const { port } = running;
  return {
    port,
    url: (database = 'postgres') => `postgres://postgres@127.0.0.1:${port}/${database}`,
    async stop() {
      await running?.stop();
      running = undefined;
    },
    async start() {
      running ??= await startEmbeddedPostgres({ ...options, port });
    },
  };
}

async function copyRunning(primary: RestartableServer, source: string, target: string): Promise<void> {
  const client = new Client({ connectionString: primary.url() });
  await client.connect();
  try {
    // The session has to stay until the backup is stopped.
    await client.query(`SELECT pg_backup_start('test', fast => true)`);
    await cp(source, target, {
      recursive: true,
      filter: (path) => !/\/(?:postmaster\.(?:pid|opts)|pg_replslot\/.+|pg_wal\/[0-9A-F]{24})$/.test(path),
    });
    const { rows } = await client.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)');
    await writeFile(join(target, 'backup_label'), rows[0]!.labelfile);
    await writeFile(join(target, 'standby.signal'), '');
    // What was written while copying is fetched from the primary.
  } finally {
    await client.end();
  }
}

export async function runOn(url: string, text: string): Promise<void> {
  await ask(url, text);
}

/** Rows of one statement, over a connection of its own. */
export async function ask(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(text);
    return rows;
  } finally {
    await client.end();
  }
}
