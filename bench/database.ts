import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { LOGINS, loginPassword, loginUrl, SHARED_DATABASE } from '../gateway/platform/derived-logins.ts';
import { quoteLiteral } from '../gateway/platform/sql.ts';
import { Secret } from '../gateway/registry/secrets.ts';
import { startEmbeddedPostgres } from '../launcher/embedded-postgres.ts';
import { BENCH_TENANT, FIXTURE_SQL } from './scenarios.ts';

const CONTROL_DATABASE = 'cascata_control';

export interface BenchDatabase {
  /** Of the postmaster. */
  readonly pid: number;
  /** For files of the other processes; removed at the end. */
  readonly directory: string;
  readonly controlUrl: Secret;
  readonly masterKey: Secret;
  /** DSN of the login that every target uses, in the shared database. */
  readonly trustedUrl: Secret;
  /** Superuser, shared database. */
  runShared(text: string): Promise<void>;
  stop(): Promise<void>;
}

/** A PostgreSQL of the benchmark's own, with an empty control database. */
export async function startDatabase(): Promise<BenchDatabase> {
  const directory = await mkdtemp(join(tmpdir(), 'cascata-bench-'));
  const clusterDir = join(directory, 'cluster');
  const server = await startEmbeddedPostgres({
    clusterDir,
    auth: { kind: 'trust' },
    port: 0,
    // Commits that wait for a disk would measure the disk.
    settings: {
      max_connections: '200',
      shared_buffers: '256MB',
      synchronous_commit: 'off',
      wal_level: 'logical',
    },
  });
  const masterKey = new Secret('the master key of the benchmark!!');
  const controlUrl = server.url(CONTROL_DATABASE);
  await runSql(server.url('postgres'), `CREATE DATABASE ${CONTROL_DATABASE}`);
  const postmasterPid = await readFile(join(clusterDir, 'postmaster.pid'), 'utf8');
  return {
    pid: Number(postmasterPid.split('\n', 1)[0]),
    directory,
    controlUrl,
    masterKey,
    trustedUrl: loginUrl(controlUrl, {
      login: LOGINS.trusted,
      password: loginPassword(masterKey, LOGINS.trusted),
      database: SHARED_DATABASE,
    }),
    runShared: (text) => runSql(server.url(SHARED_DATABASE), text),
    async stop() {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** What the admin worker would make, by hand: for runs that measure the others only. */
export async function provisionByHand(database: BenchDatabase): Promise<void> {
  const [tenant, trusted] = [BENCH_TENANT, LOGINS.trusted];
  const password = quoteLiteral(loginPassword(database.masterKey, trusted).reveal());
  await runSql(database.controlUrl, `CREATE DATABASE ${SHARED_DATABASE}`);
  const fixture = FIXTURE_SQL.replaceAll('public.', `${tenant}.`).replaceAll(' anon;', ` ${tenant}_anon;`);
  await database.runShared(`
    CREATE ROLE ${tenant}_anon;
    CREATE ROLE ${trusted} LOGIN NOINHERIT PASSWORD ${password} IN ROLE ${tenant}_anon;
    CREATE SCHEMA ${tenant};
    GRANT USAGE ON SCHEMA ${tenant} TO ${tenant}_anon;
    ${fixture}`);
}

async function runSql(url: Secret, text: string): Promise<void> {
  const client = new Client({ connectionString: url.reveal() });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
