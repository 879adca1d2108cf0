import { access, chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PgBouncerConsole } from '../../admin-worker/pgbouncer/console.ts';
import { loginPassword } from '../../gateway/platform/derived-logins.ts';
import { Secret } from '../../gateway/registry/secrets.ts';
import { localhostFetch } from '../support/localhost-fetch.ts';
import { freePort, type RunningPgBouncer, startPgBouncer, whyNoPgBouncer } from '../support/pgbouncer.ts';
import { eventually, findProcesses } from '../support/processes.ts';
import { type Stack, type StackTenant, startStack } from '../support/stack.ts';

const MASTER_KEY = new Secret('master-key-of-the-pgbouncer-test-0123456789');
const LOAD_WORKERS = 8;

const NOTES_SQL = `
CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL);
INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, 50) i;
CREATE TABLE arrivals (id uuid PRIMARY KEY, n int NOT NULL);
GRANT SELECT ON notes TO anon;
GRANT SELECT, INSERT ON arrivals TO anon;
CREATE VIEW prepared AS SELECT count(*) FILTER (WHERE name LIKE 'PGBOUNCER%') AS named FROM pg_prepared_statements;
GRANT SELECT ON prepared TO anon;
CREATE FUNCTION forget() RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DEALLOCATE ALL'; RETURN 'forgotten'; END $$;
CREATE FUNCTION place() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_database()';`;

const missing = whyNoPgBouncer('1.24');

describe.skipIf(missing !== undefined)(
  `gateway and admin worker with a real PgBouncer${missing === undefined ? '' : ` [not run: ${missing}]`}`,
  () => {
    let folder: string;
    let iniFile: string;
    let port: number;
    let stack: Stack;
    let bouncer: RunningPgBouncer;
    let adminConsole: PgBouncerConsole;
    let notes: StackTenant;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'pgbouncer-'));
      const configDir = join(folder, 'config');
      iniFile = join(configDir, 'pgbouncer.ini');
      await chmod(folder, 0o755);
      port = await freePort();
      stack = await startStack({
        CASCATA_MASTER_KEY: MASTER_KEY.reveal(),
        PGBOUNCER_URL: `postgres://127.0.0.1:${port}/cascata_shared`,
        PGBOUNCER_CONFIG_DIR: configDir,
      });
      await eventually(
        () =>
          access(iniFile).then(
            () => true,
            () => false,
          ),
        { what: 'the admin worker writes pgbouncer.ini' },
      );
      // For its socket and pid file, as another account.
      await chmod(configDir, 0o777);
      bouncer = await startPgBouncer('1.24', iniFile);
      adminConsole = new PgBouncerConsole(new Secret(dsn('cascata_console', 'pgbouncer')));
      notes = await stack.createTenant('notes', NOTES_SQL);
    });

    afterAll(async () => {
      await stack?.stop();
      await bouncer?.stop('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    });

    const password = (login: string) => loginPassword(MASTER_KEY, login).reveal();
    const dsn = (login: string, database = 'cascata_shared', secret = password(login)) =>
      `postgres://${login}:${encodeURIComponent(secret)}@127.0.0.1:${port}/${database}`;

    it('lets a login of PostgreSQL in that nobody told it of', async () => {
      expect(await run(dsn('cascata_trusted'), ['SELECT current_user::text AS who'])).toEqual([
        { who: 'cascata_trusted' },
      ]);
    });

    it('refuses wrong passwords, superusers, logins past their time, and other databases', async () => {
      const superuser = await stack.databaseUrl('postgres');
      await run(superuser, [
        `CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'boss'`,
        `CREATE ROLE expired LOGIN PASSWORD 'expired' VALID UNTIL '2000-01-01'`,
        `GRANT CONNECT ON DATABASE cascata_shared TO expired`,
      ]);
      for (const url of [
        dsn('cascata_trusted', 'cascata_shared', 'wrong'),
        dsn('boss', 'cascata_shared', 'boss'),
        dsn('expired', 'cascata_shared', 'expired'),
        dsn('nobody_of_the_kind', 'cascata_shared', 'x'),
        dsn('cascata_trusted', 'cascata_pgbouncer'),
        dsn('cascata_gateway', 'cascata_control'),
        dsn('cascata_trusted', 'pgbouncer'),
      ]) {
        await expect(run(url, ['SELECT 1'])).rejects.toThrow();
      }
    });

    it('keeps the passwords in a file that others may not read', async () => {
      const users = join(folder, 'config', 'userlist.txt');
      expect((await stat(users)).mode & 0o777).toBe(0o640);
      const names = [...(await readFile(users, 'utf8')).matchAll(/^"([^"]+)"/gm)].map(([, name]) => name);
      expect(names).toEqual(['cascata_pgbouncer', 'cascata_console']);
      expect(await readFile(iniFile, 'utf8')).not.toContain(password('cascata_console'));
    });

    it('tells the lookup login nothing but verifiers of plain logins', async () => {
      const url = new URL(await stack.databaseUrl('cascata_pgbouncer'));
      url.username = 'cascata_pgbouncer';
      url.password = password('cascata_pgbouncer');
      const rows = await run(url.href, [
        `SELECT w AS asked, l.login FROM unnest(ARRAY['cascata_trusted', 'postgres', 'cascata_pgbouncer']) AS w
         LEFT JOIN pgbouncer.lookup(w) l ON true ORDER BY w`,
      ]);
      expect(rows).toEqual([
        { asked: 'cascata_pgbouncer', login: null },
        { asked: 'cascata_trusted', login: 'cascata_trusted' },
        { asked: 'postgres', login: null },
      ]);
    });

    it('serves requests by named statements that it prepares where they are needed', async () => {
      for (let i = 1; i <= 20; i++)
        expect(await readNote(notes, i)).toEqual({ status: 200, body: noteOf(i) });
      // Closed to tenants otherwise (docs/security.md).
      await run(await stack.databaseUrl('cascata_shared'), [
        'GRANT SELECT ON pg_prepared_statements TO PUBLIC',
        'GRANT EXECUTE ON FUNCTION pg_prepared_statement() TO PUBLIC',
      ]);
      const { body } = await get(notes, '/rest/v1/prepared');
      expect(JSON.parse(body)[0].named).toBeGreaterThan(0);
    });

    it('answers rightly after a tenant’s DEALLOCATE ALL behind PgBouncer’s back', async () => {
      for (let round = 0; round < 5; round++) {
        expect((await get(notes, '/rest/v1/rpc/forget', { method: 'POST' })).status).toBe(200);
        for (let i = 1; i <= 5; i++)
          expect(await readNote(notes, i)).toEqual({ status: 200, body: noteOf(i) });
      }
    });

    it('serves a new database tenant at once, and nobody else’s connection is dropped for it', async () => {
      const bystander = new Client({ connectionString: dsn('cascata_trusted') });
      let isLost = false;
      bystander.on('error', () => undefined);
      bystander.on('end', () => {
        isLost = true;
      });
      await bystander.connect();
      const clientsBefore = await clientPorts();
      const load = startLoad(notes);
      const own = await stack.createDatabaseTenant('own-place', NOTES_SQL);
      expect(await get(own, '/rest/v1/rpc/place')).toEqual({ status: 200, body: '"cascata_t_own-place"' });
      expect(await readNote(own, 3)).toEqual({ status: 200, body: noteOf(3) });
      const { reads, writes } = await load.stop();
      expect(tally(reads)).toEqual({ 200: reads.length });
      expect(tally(writes)).toEqual({ 201: writes.length });
      expect((await bystander.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
      const clientsAfter = await clientPorts();
      expect(isLost).toBe(false);
      expect(clientsBefore.filter((client) => !clientsAfter.includes(client))).toEqual([]);
      await bystander.end();
    });

    it('takes the pool size of a tenant from its limits, and forgets a tenant that is deleted', async () => {
      const shown = async () => (await adminConsole.show('databases', 'cascata_t_own-place'))[0]?.pool_size;
      expect(Number(await shown())).toBe(5);
      await stack.admin('PATCH', '/v1/tenants/own-place', { limits: { max_in_flight: 2 } });
      expect(Number(await shown())).toBe(2);
      await stack.admin('DELETE', '/v1/tenants/own-place?confirm=own-place');
      expect(await shown()).toBeUndefined();
      expect(await readFile(iniFile, 'utf8')).not.toContain('own-place');
    });

    it('a database tenant made while PgBouncer is away is said not to be served yet, and is once it is back', async () => {
      await bouncer.stop('SIGINT');
      const tenant = { id: 'unheard', hosts: ['unheard.localhost'], placement: { kind: 'database' } };
      const made = (await stack.admin('POST', '/v1/tenants', tenant)) as { keys: { anon: string } };
      const warnings = [expect.stringMatching(/^PgBouncer could not be told .*\(ECONNREFUSED\).* get 503 /)];
      expect(made).toMatchObject({ warnings });
      expect(await stack.admin('PATCH', '/v1/tenants/unheard', { require_api_key: true })).toMatchObject({
        warnings,
      });
      // Its own tables are reached through PgBouncer, and so are those of the shared tenants: nothing new for these.
      const shared = await stack.admin('POST', '/v1/tenants', { id: 'heard', hosts: ['heard.localhost'] });
      expect(shared).not.toHaveProperty('warnings');
      const url = `http://unheard.localhost:${new URL(stack.gatewayUrl).port}`;
      const ask = () => get({ url, keys: made.keys } as StackTenant, '/rest/v1/rpc/nothing');
      expect((await ask()).status).toBe(503);
      bouncer = await startPgBouncer('1.24', iniFile);
      await eventually(async () => (await ask()).status === 404, { what: 'the new tenant is served' });
      await eventually(
        async () => {
          const patched = await stack.admin('PATCH', '/v1/tenants/unheard', { require_api_key: false });
          return !Object.hasOwn(patched as object, 'warnings');
        },
        { what: 'PgBouncer has been told' },
      );
    });

    it('RELOAD under load is seen by nobody', async () => {
      const load = startLoad(notes);
      for (let i = 0; i < 20; i++) {
        await adminConsole.reload();
        await sleep(20);
      }
      const { reads, writes } = await load.stop();
      expect([tally(reads), tally(writes)]).toEqual([{ 200: reads.length }, { 201: writes.length }]);
      expect(await arrived(notes)).toEqual(expect.arrayContaining(idsOf(writes)));
    });

    it('PAUSE holds requests, RESUME lets them go on, and none fails', async () => {
      const load = startLoad(notes);
      await sleep(200);
      await adminConsole.pause('cascata_shared', 5_000);
      const [paused] = await adminConsole.show('databases', 'cascata_shared');
      expect(Number(paused?.paused)).toBe(1);
      let isAnswered = false;
      const held = readNote(notes, 1).then((answer) => {
        isAnswered = true;
        return answer;
      });
      await sleep(300);
      expect(isAnswered).toBe(false);
      await adminConsole.resume('cascata_shared');
      expect(await held).toEqual({ status: 200, body: noteOf(1) });
      const { reads, writes } = await load.stop();
      expect([tally(reads), tally(writes)]).toEqual([{ 200: reads.length }, { 201: writes.length }]);
    });

    it('a PAUSE that does not come to rest in time is taken back', async () => {
      const busy = run(dsn('cascata_trusted'), ['SELECT pg_sleep(2)']);
      await eventually(
        async () =>
          (await adminConsole.show('pools', 'cascata_shared')).some((pool) => Number(pool.sv_active) > 0),
        { what: 'the long statement runs' },
      );
      await expect(adminConsole.pause('cascata_shared', 300)).rejects.toThrow();
      expect(await readNote(notes, 2)).toEqual({ status: 200, body: noteOf(2) });
      await busy;
    });

    it('with requests held by the admin API PostgreSQL ends all sessions and comes back, and none fails', async () => {
      const load = startLoad(notes);
      await sleep(200);
      const answer = await stack.admin('POST', '/v1/pgbouncer/pause', { seconds: 7 });
      expect(answer).toEqual({ paused: { database: null, until: expect.stringMatching(/^20/) } });
      const direct = await stack.databaseUrl('cascata_shared');
      await crashBackend(direct);
      await sleep(200);
      await eventually(
        () =>
          run(direct, ['SELECT 1']).then(
            () => true,
            () => false,
          ),
        {
          what: 'PostgreSQL has recovered',
        },
      );
      await stack.admin('POST', '/v1/pgbouncer/resume', {});
      const { reads, writes, wrong } = await load.stop();
      expect([tally(reads), tally(writes), wrong]).toEqual([
        { 200: reads.length },
        { 201: writes.length },
        [],
      ]);
      expect(await arrived(notes)).toEqual(expect.arrayContaining(idsOf(writes)));
    });

    it('a pause ends by itself, is of one tenant where that is wanted, and does not outlive the admin API', async () => {
      await expect(stack.admin('POST', '/v1/pgbouncer/pause', { tenant: 'notes' })).rejects.toThrow(
        /answered 409/,
      );
      const own = await stack.createDatabaseTenant('worked-on', NOTES_SQL);
      expect(await readNote(own, 1)).toEqual({ status: 200, body: noteOf(1) });
      await stack.admin('POST', '/v1/pgbouncer/pause', { tenant: 'worked-on', seconds: 1 });
      let isAnswered = false;
      const held = readNote(own, 1).finally(() => {
        isAnswered = true;
      });
      expect(await readNote(notes, 2)).toEqual({ status: 200, body: noteOf(2) });
      expect(isAnswered).toBe(false);
      expect(await held).toEqual({ status: 200, body: noteOf(1) });

      await stack.admin('POST', '/v1/pgbouncer/pause', { seconds: 7 });
      const waiting = readNote(notes, 3);
      const [ours, apis] = await Promise.all([
        findProcesses(stack.dataDir),
        findProcesses('/admin-worker/api/main.'),
      ]);
      for (const pid of apis.filter((api) => ours.includes(api))) process.kill(pid, 'SIGKILL');
      expect(await waiting).toEqual({ status: 200, body: noteOf(3) });
    });

    it.each(['SIGKILL', 'SIGQUIT', 'SIGINT'] as const)(
      'ended by %s and started again under load: every read is answered, and no acknowledged write is lost',
      async (signal) => {
        const load = startLoad(notes);
        await sleep(300);
        await bouncer.stop(signal);
        bouncer = await startPgBouncer('1.24', iniFile);
        await sleep(500);
        const { reads, writes, wrong } = await load.stop();
        expect(wrong).toEqual([]);
        expect(reads.filter(({ status }) => status !== 200)).toEqual([]);
        const unexpected = writes.filter(({ status }) => status !== 201 && status !== 503);
        expect(unexpected).toEqual([]);
        expect(await arrived(notes)).toEqual(
          expect.arrayContaining(idsOf(writes.filter(({ status }) => status === 201))),
        );
        expect(writes.at(-1)?.status).toBe(201);
      },
    );

    it('PostgreSQL crashes behind PgBouncer under load: 200 or 503, no acknowledged write is lost, and all is well once it is back', async () => {
      const load = startLoad(notes);
      await sleep(300);
      await crashBackend(await stack.databaseUrl('cascata_shared'));
      await sleep(300);
      await eventually(async () => (await readNote(notes, 1)).status === 200, {
        what: 'reads are answered again',
      });
      const { reads, writes, wrong } = await load.stop();
      expect(wrong).toEqual([]);
      expect(reads.filter(({ status }) => status !== 200 && status !== 503)).toEqual([]);
      expect(writes.filter(({ status }) => status !== 201 && status !== 503)).toEqual([]);
      expect(await arrived(notes)).toEqual(
        expect.arrayContaining(idsOf(writes.filter(({ status }) => status === 201))),
      );
      const after = startLoad(notes);
      await sleep(200);
      const answers = await after.stop();
      expect([tally(answers.reads), tally(answers.writes)]).toEqual([
        { 200: answers.reads.length },
        { 201: answers.writes.length },
      ]);
    });

    /** Port numbers by which PgBouncer knows its clients, without the console's own. */
    async function clientPorts(): Promise<readonly number[]> {
      const rows = await adminConsole.show('clients');
      return rows.filter(({ database }) => database === 'cascata_shared').map((row) => Number(row.port));
    }
  },
);

interface Read {
  readonly status: number;
  readonly body: string;
}

interface Write extends Read {
  readonly id: string;
}

interface Load {
  readonly reads: readonly Read[];
  readonly writes: readonly Write[];
  /** Reads that were answered with another row than the one asked for. */
  readonly wrong: readonly string[];
}

/** Reads and inserts, one after another in several workers, until stopped. */
function startLoad(tenant: StackTenant): { stop(): Promise<Load> } {
  const reads: Read[] = [];
  const writes: Write[] = [];
  const wrong: string[] = [];
  let isStopped = false;
  const worker = async (which: number) => {
    for (let i = 0; !isStopped; i++) {
      const id = ((which * 7 + i) % 50) + 1;
      const read = await readNote(tenant, id);
      reads.push(read);
      if (read.status === 200 && read.body !== noteOf(id)) wrong.push(`${id}: ${read.body}`);
      const arrival = crypto.randomUUID();
      const answer = await get(tenant, '/rest/v1/arrivals', {
        method: 'POST',
        body: JSON.stringify({ id: arrival, n: i }),
      });
      writes.push({ ...answer, id: arrival });
    }
  };
  const workers = Array.from({ length: LOAD_WORKERS }, (_, which) => worker(which));
  return {
    async stop() {
      isStopped = true;
      await Promise.all(workers);
      return { reads, writes, wrong };
    },
  };
}

async function get(tenant: StackTenant, path: string, init: RequestInit = {}): Promise<Read> {
  const response = await localhostFetch(tenant.url + path, {
    ...init,
    headers: { apikey: tenant.keys.anon, 'content-type': 'application/json' },
  });
  return { status: response.status, body: await response.text() };
}

function readNote(tenant: StackTenant, id: number): Promise<Read> {
  return get(tenant, `/rest/v1/notes?id=eq.${id}`);
}

function noteOf(id: number): string {
  return `[{"id":${id},"body":"note ${id}"}]`;
}

async function arrived(tenant: StackTenant): Promise<string[]> {
  const { body } = await get(tenant, '/rest/v1/arrivals?select=id');
  const rows: { id: string }[] = JSON.parse(body);
  return rows.map(({ id }) => id);
}

function idsOf(writes: readonly Write[]): string[] {
  return writes.map(({ id }) => id);
}

function tally(answers: readonly Read[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** `kill -9` of one session's process: PostgreSQL ends all others, recovers, and starts again. */
async function crashBackend(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
}

/** Runs statements one by one; the rows of the last. */
async function run(url: string, statements: readonly string[]): Promise<readonly unknown[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    let rows: readonly unknown[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}
