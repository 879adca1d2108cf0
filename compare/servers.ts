import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { answers, freePort, startChild } from '../bench/child.ts';
import { findPostgrest } from '../bench/postgrest.ts';
import { serveTenant } from '../gateway/test/support/serve-tenant.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../launcher/embedded-postgres.ts';
import { COMPARE_JWT_SECRET, COMPARE_SETTINGS, settingsAsVariables } from './settings.ts';

const FIXTURES = ['../gateway/test/support/fixture.sql', './extra-fixture.sql'];
const CONTROL = 'compare_control';
const MASTER = 'compare_master';
const LOGIN = 'compare_login';

/** One of the two servers. */
export interface Server {
  /** Without a slash at its end; may hold a path prefix. */
  readonly url: string;
  readonly host: string;
}

export interface Servers {
  readonly ours: Server;
  readonly theirs: Server;
  /** Of the PostgREST: `12.0.2-2`. */
  readonly version: string;
  /** Puts the sequences of both databases back, so that one server's refusal does not show in later rows. */
  resetSequences(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A PostgreSQL of its own with two copies of one database, our gateway before one and a PostgREST before the other. Copies, because a
 * sequence that one of them advanced would show in the other's rows.
 *
 * @throws {Error} with a sentence when there is no PostgREST for this machine
 */
export async function startServers(): Promise<Servers> {
  const binary = await findPostgrest();
  if (typeof binary === 'string') throw new Error(`There is nothing to compare with: ${binary}`);
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const closeOne of closers.splice(0).reverse()) await closeOne();
  };
  try {
    const directory = await mkdtemp(join(tmpdir(), 'cascata-compare-'));
    closers.push(() => rm(directory, { recursive: true, force: true }));
    const postgres = await startEmbeddedPostgres({
      clusterDir: join(directory, 'cluster'),
      auth: { kind: 'trust' },
      port: 0,
      settings: { fsync: 'off', synchronous_commit: 'off', wal_level: 'logical', autovacuum: 'off' },
    });
    closers.push(() => postgres.stop());
    await makeDatabases(postgres);
    const gateway = await serveTenant(postgres.url(CONTROL).reveal(), {
      databaseUrl: loginUrl(postgres, 'ours'),
      postgrest: COMPARE_SETTINGS,
      jwtSecret: COMPARE_JWT_SECRET,
    });
    closers.push(() => gateway.close());
    const cleaners = [await connect(postgres, 'ours'), await connect(postgres, 'theirs')];
    closers.push(() => Promise.all(cleaners.map((client) => client.end())));
    const theirs = await startPostgrest(binary.path, loginUrl(postgres, 'theirs'));
    closers.push(() => theirs.stop());
    return {
      ours: { url: `${gateway.url}/rest/v1`, host: gateway.host },
      // The same name, since SQL can see it.
      theirs: { url: theirs.url, host: gateway.host },
      version: binary.version,
      resetSequences: async () => {
        await Promise.all(cleaners.map((client) => client.query('SELECT private.reset_sequences()')));
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function makeDatabases(postgres: EmbeddedPostgres): Promise<void> {
  await run(postgres, 'postgres', [`CREATE DATABASE ${CONTROL}`, `CREATE DATABASE ${MASTER}`]);
  for (const file of FIXTURES) {
    await run(postgres, MASTER, [await readFile(new URL(file, import.meta.url), 'utf8')]);
  }
  await run(postgres, MASTER, ['ANALYZE']);
  await run(postgres, 'postgres', [
    `CREATE ROLE ${LOGIN} LOGIN NOINHERIT IN ROLE anon, authenticated, service_role`,
    `CREATE DATABASE ${databaseName('ours')} TEMPLATE ${MASTER}`,
    `CREATE DATABASE ${databaseName('theirs')} TEMPLATE ${MASTER}`,
  ]);
}

function databaseName(whose: 'ours' | 'theirs'): string {
  return `compare_${whose}`;
}

function loginUrl(postgres: EmbeddedPostgres, whose: 'ours' | 'theirs'): string {
  const url = new URL(postgres.url(databaseName(whose)).reveal());
  url.username = LOGIN;
  return url.href;
}

async function connect(postgres: EmbeddedPostgres, whose: 'ours' | 'theirs'): Promise<Client> {
  const client = new Client({ connectionString: postgres.url(databaseName(whose)).reveal() });
  await client.connect();
  return client;
}

async function startPostgrest(
  path: string,
  databaseUrl: string,
): Promise<{ url: string; stop(): Promise<void> }> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const child = await startChild({
    name: 'PostgREST',
    command: path,
    args: [],
    env: {
      ...settingsAsVariables(),
      PGRST_DB_URI: databaseUrl,
      PGRST_JWT_SECRET: COMPARE_JWT_SECRET,
      PGRST_SERVER_HOST: '127.0.0.1',
      PGRST_SERVER_PORT: String(port),
      PGRST_ADMIN_SERVER_PORT: String(adminPort),
      PGRST_LOG_LEVEL: 'crit',
    },
    isReady: () => answers(`http://127.0.0.1:${adminPort}/ready`),
  });
  return { url: `http://127.0.0.1:${port}`, stop: child.stop };
}

async function run(postgres: EmbeddedPostgres, database: string, texts: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: postgres.url(database).reveal() });
  await client.connect();
  try {
    for (const text of texts) await client.query(text);
  } finally {
    await client.end();
  }
}
