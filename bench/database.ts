import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { executorsSql, GATE_SQL } from '../admin-worker/provision/executor.sql.ts';
import { LOGINS, loginPassword, loginUrl, SHARED_DATABASE } from '../gateway/platform/derived-logins.ts';
import { quoteLiteral } from '../gateway/platform/sql.ts';
import { Secret } from '../gateway/registry/secrets.ts';
import { startEmbeddedPostgres } from '../launcher/embedded-postgres.ts';
import { makeManyTenants } from '../test/support/many-tenants.ts';
import { canConnect, freePort, nodeEntry, startChild } from './child.ts';
import { BENCH_TENANT, FIXTURE_SQL } from './scenarios.ts';
import { makeScratch } from './scratch.ts';

const CONTROL_DATABASE = 'cascata_control';

export interface BenchDatabase {
  /** Of the postmaster. */
  readonly pid: number;
  /** For files of the other processes; removed at the end. */
  readonly directory: string;
  readonly controlUrl: Secret;
  /** The same over the network that the benchmark makes believe there is, see `startDatabase`. */
  readonly remoteControlUrl: Secret;
  readonly masterKey: Secret;
  /** DSN of the login that every target uses, in the shared database, over that network. */
  readonly trustedUrl: Secret;
  /** DSN of the login that goes through executors. */
  readonly sealedUrl: Secret;
  /** Superuser, shared database. */
  runShared(text: string): Promise<void>;
  /** Shared tenants besides that of the benchmark, each with `sql`; the gateway must have been started once. */
  makeTenants(ids: readonly string[], sql: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A PostgreSQL of the benchmark's own, with an empty control database.
 *
 * @param delayMs added to each round trip of the targets
 */
export async function startDatabase(delayMs = 0): Promise<BenchDatabase> {
  const directory = await makeScratch('cascata-bench-');
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
  const network = delayMs === 0 ? undefined : await startDelay(controlUrl, delayMs);
  const remoteControlUrl = network?.url ?? controlUrl;
  const sharedUrl = (login: string) =>
    loginUrl(remoteControlUrl, {
      login,
      password: loginPassword(masterKey, login),
      database: SHARED_DATABASE,
    });
  const postmasterPid = await readFile(join(clusterDir, 'postmaster.pid'), 'utf8');
  return {
    pid: Number(postmasterPid.split('\n', 1)[0]),
    directory,
    controlUrl,
    remoteControlUrl,
    masterKey,
    trustedUrl: sharedUrl(LOGINS.trusted),
    sealedUrl: sharedUrl(LOGINS.sealed),
    runShared: (text) => runSql(server.url(SHARED_DATABASE), text),
    makeTenants: (ids, sql) =>
      makeManyTenants({
        ids,
        controlUrl: controlUrl.reveal(),
        sharedUrl: server.url(SHARED_DATABASE).reveal(),
        tenantSql: () => sql,
      }),
    async stop() {
      await network?.stop();
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function startDelay(
  server: Secret,
  delayMs: number,
): Promise<{ readonly url: Secret; stop(): Promise<void> }> {
  const port = await freePort();
  const url = new URL(server.reveal());
  const { stop } = await startChild({
    name: 'delay proxy',
    ...nodeEntry('./delay-proxy.ts'),
    env: { ...process.env, PROXY_PORT: String(port), SERVER_PORT: url.port, DELAY_MS: String(delayMs) },
    isReady: () => canConnect(port),
  });
  url.port = String(port);
  return { url: new Secret(url.href), stop };
}

/** What the admin worker would make, by hand: for runs that measure the others only. */
export async function provisionByHand(database: BenchDatabase): Promise<void> {
  const [tenant, trusted] = [BENCH_TENANT, LOGINS.trusted];
  const password = quoteLiteral(loginPassword(database.masterKey, trusted).reveal());
  const sealedPassword = quoteLiteral(loginPassword(database.masterKey, LOGINS.sealed).reveal());
  await runSql(database.controlUrl, `CREATE DATABASE ${SHARED_DATABASE}`);
  const fixture = FIXTURE_SQL.replaceAll('public.', `${tenant}.`).replaceAll(
    ' anon, authenticated;',
    ` ${tenant}_anon, ${tenant}_authenticated;`,
  );
  await database.runShared(`
    CREATE ROLE ${tenant}_anon;
    CREATE ROLE ${tenant}_authenticated;
    CREATE ROLE ${trusted} LOGIN NOINHERIT PASSWORD ${password} IN ROLE ${tenant}_anon, ${tenant}_authenticated;
    CREATE ROLE ${LOGINS.sealed} LOGIN NOINHERIT PASSWORD ${sealedPassword};
    ${GATE_SQL}
    ${executorsSql(`${tenant}_anon`, database.masterKey)}
    CREATE SCHEMA ${tenant};
    GRANT USAGE ON SCHEMA ${tenant} TO ${tenant}_anon, ${tenant}_authenticated;
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
