import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createMetrics } from '../../../gateway/platform/metrics.ts';
import type { Observation } from '../../../gateway/platform/observation.ts';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { createTestDatabase, databaseUrl, runSql } from '../../../test/support/database.ts';
import { startApiServer } from '../../api/api-server.ts';
import { archiveSigner } from '../../archive/archive-signature.ts';
import { bootstrap } from '../../bootstrap.ts';
import type { PhantomServices } from '../../containers/phantom-services.ts';
import { startJobRunner } from '../../runner/job-runner.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Json;
}

/** JSON of an answer, to be looked into without ceremony. */
export interface Json {
  readonly [key: string]: Json;
}

export interface AdminHarness {
  /** Superuser DSN of the control database. */
  readonly controlUrl: string;
  /** Superuser DSN of the database of the shared tenants. */
  readonly sharedUrl: string;
  readonly sharedDatabase: string;
  readonly masterKey: Secret;
  readonly adminToken: string;
  /** The one before it, which is good as well. */
  readonly previousAdminToken: string;
  readonly dataDir: string;
  readonly baseUrl: string;
  readonly observations: readonly Observation[];
  /** A tenant id that no other test has. */
  tenantId(prefix?: string): string;
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  control<T extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<T[]>;
  shared<T extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<T[]>;
  /** Posts migrations and waits for the end of the job. */
  migrate(tenantId: string, ...sql: readonly string[]): Promise<Json>;
  waitForJob(id: string): Promise<Json>;
  stop(): Promise<void>;
}

export interface RequestOptions {
  readonly body?: unknown;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface AdminHarnessOptions {
  readonly withRunner?: boolean;
  /** Superuser DSN of another server than the one of the run. */
  readonly serverUrl?: string | undefined;
  /** The test throws that server away: nothing in it has to be dropped. */
  readonly isServerDisposable?: boolean;
  readonly phantom?: PhantomServices;
  /** PEM; archives are signed with it, and those of its public key alone are hydrated. */
  readonly archiveSigningKey?: Secret;
}

/**
 * Control and shared databases of its own, the admin API on a real socket, and a runner.
 *
 * @param options.serverUrl superuser DSN of another server than the one all tests share
 * @param options.withRunner `false`: the test starts its own
 */
export async function startAdminHarness({
  withRunner = true,
  serverUrl,
  isServerDisposable = false,
  phantom,
  archiveSigningKey,
}: AdminHarnessOptions = {}): Promise<AdminHarness> {
  const run = randomBytes(3).toString('hex');
  const database = await createTestDatabase({ serverUrl });
  const dataDir = await mkdtemp(join(tmpdir(), 'cascata-data-'));
  const sharedDatabase = `${database.name}_shared`;
  const masterKey = new Secret(randomBytes(32).toString('base64url'));
  const adminToken = randomBytes(24).toString('base64url');
  const previousAdminToken = randomBytes(24).toString('base64url');
  const observations: Observation[] = [];
  const common = {
    controlDatabaseUrl: new Secret(database.url),
    masterKey,
    sharedDatabase,
    remotes: { allowedNetworks: ['127.0.0.1/32', '::1/128'] },
    dataDir,
    ...(archiveSigningKey === undefined
      ? {}
      : { archiveSigningKey, archives: { trustedKeys: [archiveSigner(archiveSigningKey).publicKey] } }),
    observe: (observation: Observation) => void observations.push(observation),
  };
  await bootstrap(common);
  const server = await startApiServer({
    ...common,
    adminToken: new Secret(adminToken),
    previousAdminToken: new Secret(previousAdminToken),
    host: '127.0.0.1',
    port: 0,
    metrics: createMetrics({ withProcessMetrics: false }),
    failureDelayMs: 1,
  });
  const runner = withRunner ? await startJobRunner({ ...common, phantom, jobRetentionDays: 30 }) : undefined;
  const controlPool = new pg.Pool({ connectionString: database.url, max: 2 });
  const sharedPool = new pg.Pool({ connectionString: databaseUrl(database.url, sharedDatabase), max: 2 });
  // Databases are dropped while connections are still closing.
  for (const pool of [controlPool, sharedPool]) {
    pool.on('error', () => undefined);
    pool.on('connect', (client) => client.on('error', () => undefined));
  }
  const baseUrl = `http://127.0.0.1:${server.port}`;
  let serial = 0;
  let version = 0;

  const harness: AdminHarness = {
    controlUrl: database.url,
    sharedUrl: databaseUrl(database.url, sharedDatabase),
    sharedDatabase,
    masterKey,
    adminToken,
    previousAdminToken,
    dataDir,
    baseUrl,
    observations,
    tenantId: (prefix = 't') => `${prefix}${run}${++serial}`,
    async request(method, path, { body, token = adminToken, headers = {} } = {}) {
      const response = await fetch(baseUrl + path, {
        method,
        headers: {
          ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        text,
        body: text.startsWith('{') ? JSON.parse(text) : {},
      };
    },
    control: async (text, values) => (await controlPool.query(text, values)).rows,
    shared: async (text, values) => (await sharedPool.query(text, values)).rows,
    async migrate(tenantId, ...sql) {
      const migrations = sql.map((text) => ({
        name: `${String(202611220000 + ++version)}__test.sql`,
        sql: text,
      }));
      const answer = await harness.request('POST', `/v1/tenants/${tenantId}/migrations`, {
        body: { migrations },
      });
      if (answer.status !== 202)
        throw new Error(`migrations were answered with ${answer.status}: ${answer.text}`);
      return harness.waitForJob(String(answer.body.job?.id));
    },
    async waitForJob(id) {
      const deadline = Date.now() + (phantom === undefined ? 50_000 : 120_000);
      // Short ones are seen at once, and long ones not slowed down by so many looks.
      for (let waitMs = 10; Date.now() < deadline; waitMs = Math.min(waitMs * 1.2, 150)) {
        const { body } = await harness.request('GET', `/v1/jobs/${id}`);
        const job = body.job!;
        if (['completed', 'failed', 'cancelled'].includes(String(job.state))) return job;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
      throw new Error(`job ${id} did not end`);
    },
    async stop() {
      await runner?.stop(AbortSignal.timeout(5_000));
      await server.drain(AbortSignal.timeout(1_000));
      await server.close();
      if (!isServerDisposable) await dropTenantRoles(sharedPool, run);
      await controlPool.end();
      await sharedPool.end();
      if (!isServerDisposable) {
        await runSql(
          databaseUrl(database.url, 'postgres'),
          `DROP DATABASE IF EXISTS "${sharedDatabase}" WITH (FORCE)`,
        );
        await database.drop();
      }
      await rm(dataDir, { recursive: true, force: true });
    },
  };
  return harness;
}

/** Roles and databases belong to the whole server, so they would outlive the harness. */
async function dropTenantRoles(shared: pg.Pool, run: string): Promise<void> {
  const databases = await shared.query<{ datname: string }>(
    `SELECT datname FROM pg_database WHERE datname LIKE 'cascata_t_%' || $1 || '%'`,
    [run],
  );
  for (const { datname } of databases.rows) await shared.query(`DROP DATABASE "${datname}" WITH (FORCE)`);
  const { rows } = await shared.query<{ rolname: string }>(
    `SELECT rolname FROM pg_roles WHERE rolname LIKE '%' || $1 || '%' ORDER BY rolname LIKE '%owner' DESC`,
    [run],
  );
  for (const { rolname } of rows)
    await shared.query(`DROP OWNED BY "${rolname}" CASCADE; DROP ROLE "${rolname}"`);
}
