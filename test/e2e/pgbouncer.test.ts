import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../gateway/registry/secrets.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../launcher/embedded-postgres.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PROGRAM = process.env.PGBOUNCER_BIN || 'pgbouncer';
const PSQL = 'psql';
/** With the characters that the user list, a URL and sed could trip over. */
const LOOKUP_PASSWORD = `pa"ss'|&\\word`;
const NOBODY = 65_534;

/** `auth_dbname` came with PgBouncer 1.19, `max_prepared_statements` with 1.21. */
function whyNotRun(): string | undefined {
  if (spawnSync(PSQL, ['--version']).error !== undefined) return 'there is no psql to run auth.sql with';
  const { error, stdout } = spawnSync(PROGRAM, ['--version'], { encoding: 'utf8' });
  if (error !== undefined) return `there is no program ${PROGRAM} (PGBOUNCER_BIN names one)`;
  const [version = '0', major, minor] = /(\d+)\.(\d+)[.\d]*/.exec(stdout) ?? [];
  if (Number(major) > 1 || Number(minor) >= 21) return undefined;
  return `${PROGRAM} is ${version}, 1.21 is needed`;
}

const notRun = whyNotRun();
if (notRun !== undefined) {
  process.stderr.write(`\nThe PgBouncer template is NOT tried with a PgBouncer: ${notRun}.\n\n`);
}

describe.skipIf(notRun !== undefined)(
  `PgBouncer on its template${notRun ? ` [not run: ${notRun}]` : ''}`,
  () => {
    let folder: string;
    let postgres: EmbeddedPostgres;
    let pooler: ChildProcess;
    let port: number;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'pgbouncer-'));
      await chmod(folder, 0o755);
      const password = new Secret('superuser-password');
      postgres = await startEmbeddedPostgres({
        clusterDir: join(folder, 'cluster'),
        auth: { kind: 'scram', password },
        port: 0,
      });
      const url = postgres.url('postgres').reveal();
      const made = spawnSync(
        PSQL,
        [
          url,
          '--no-psqlrc',
          '-v',
          'ON_ERROR_STOP=1',
          '-v',
          `password=${LOOKUP_PASSWORD}`,
          '-f',
          'pgbouncer/auth.sql',
        ],
        { cwd: ROOT, encoding: 'utf8' },
      );
      if (made.status !== 0) throw new Error(made.stderr);
      await run(url, [
        `CREATE ROLE cascata_trusted LOGIN PASSWORD 'trusted'`,
        `CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'boss'`,
        `CREATE ROLE expired LOGIN PASSWORD 'expired' VALID UNTIL '2000-01-01'`,
        'CREATE DATABASE cascata_shared',
      ]);
      port = await freePort();
      pooler = await startPooler(folder, { port, postgresPort: postgres.port });
    });

    afterAll(async () => {
      if (pooler !== undefined && pooler.exitCode === null) {
        const ended = once(pooler, 'exit');
        pooler.kill('SIGINT');
        await ended;
      }
      await postgres?.stop();
      await rm(folder, { recursive: true, force: true });
    });

    const dsn = (login: string, password: string, database = 'cascata_shared') =>
      `postgres://${login}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;

    it('lets a login of PostgreSQL in that nobody told it of', async () => {
      expect(await run(dsn('cascata_trusted', 'trusted'), ['SELECT current_user::text AS who'])).toEqual([
        { who: 'cascata_trusted' },
      ]);
    });

    it.each([
      ['a wrong password', 'cascata_trusted', 'wrong', 'cascata_shared'],
      ['a superuser', 'boss', 'boss', 'cascata_shared'],
      ['a login past its time', 'expired', 'expired', 'cascata_shared'],
      ['a login that does not exist', 'nobody_of_the_kind', 'x', 'cascata_shared'],
      ['a tenant’s login in the lookup database', 'cascata_trusted', 'trusted', 'cascata_pgbouncer'],
    ])('refuses %s', async (_, login, password, database) => {
      await expect(run(dsn(login, password, database), ['SELECT 1'])).rejects.toThrow();
    });

    it('tells the lookup login nothing but verifiers of plain logins', async () => {
      const url = new URL(postgres.url('cascata_pgbouncer').reveal());
      url.username = 'cascata_pgbouncer';
      url.password = encodeURIComponent(LOOKUP_PASSWORD);
      const rows = await run(url.href, [
        `SELECT w AS asked, l.login FROM unnest(ARRAY['cascata_trusted', 'boss', 'expired', 'cascata_pgbouncer']) AS w
       LEFT JOIN pgbouncer.lookup(w) l ON true ORDER BY w`,
      ]);
      expect(rows).toEqual([
        { asked: 'boss', login: null },
        { asked: 'cascata_pgbouncer', login: null },
        { asked: 'cascata_trusted', login: 'cascata_trusted' },
        { asked: 'expired', login: null },
      ]);
    });

    it('keeps named statements apart over changing server connections', async () => {
      const clients = [1, 2, 3].map(
        () => new Client({ connectionString: dsn('cascata_trusted', 'trusted') }),
      );
      try {
        for (const client of clients) await client.connect();
        const ask = async (which: number) => {
          const values: unknown[] = [];
          for (let i = 0; i < 20; i++) {
            const text = `SELECT ${which} AS client, $1::integer AS value`;
            const { rows } = await clients[which]!.query({ name: 'same name', text, values: [i] });
            values.push(rows[0]);
          }
          return values;
        };
        expect(await Promise.all(clients.map((_, which) => ask(which)))).toEqual(
          clients.map((_, client) => Array.from({ length: 20 }, (_, value) => ({ client, value }))),
        );
      } finally {
        for (const client of clients) await client.end();
      }
    });
  },
);

/** Runs statements one by one; the rows of the last. */
async function run(url: string, statements: readonly string[]): Promise<readonly unknown[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  try {
    await client.connect();
    let rows: readonly unknown[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}

/** As the container does it: `docker/pgbouncer/start.sh`, as a user that is not root. */
async function startPooler(
  folder: string,
  { port, postgresPort }: { port: number; postgresPort: number },
): Promise<ChildProcess> {
  const runDir = await mkdtemp(join(folder, 'run-'));
  const passwordFile = join(runDir, 'password');
  await writeFile(passwordFile, LOOKUP_PASSWORD);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    await chown(runDir, NOBODY, NOBODY);
    await chown(passwordFile, NOBODY, NOBODY);
  }
  const child = spawn('sh', ['docker/pgbouncer/start.sh'], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    env: {
      PATH: process.env.PATH ?? '',
      PGBOUNCER_PROGRAM: PROGRAM,
      PGBOUNCER_TEMPLATE: 'pgbouncer/pgbouncer.ini',
      PGBOUNCER_PASSWORD_FILE: passwordFile,
      RUN_DIR: runDir,
      DB_HOST: '127.0.0.1',
      DB_PORT: String(postgresPort),
      LISTEN_ADDR: '127.0.0.1',
      LISTEN_PORT: String(port),
    },
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    log += chunk;
  });
  for (let poll = 0; poll < 100 && !log.includes('process up'); poll++) {
    if (child.exitCode !== null) throw new Error(`PgBouncer ended with ${child.exitCode}: ${log}`);
    await sleep(50);
  }
  return child;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
