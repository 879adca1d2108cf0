import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname } from 'node:path';
import { SignJWT } from 'jose';
import pg from 'pg';
import { OLD_COPIES_QUEUE, openSender } from '../../admin-worker/jobs/queue.ts';
import { findPostgresTools } from '../../admin-worker/postgres-tools/find-tools.ts';
import {
  type AdminHarness,
  type Json,
  startAdminHarness,
} from '../../admin-worker/test/support/admin-harness.ts';
import { createGatewayServer } from '../../gateway/gateway-server.ts';
import { loadGatewayConfig } from '../../gateway/platform/config.ts';
import type { ConfigInput } from '../../gateway/platform/config-schema.ts';
import { createMetrics } from '../../gateway/platform/metrics.ts';
import { createServices } from '../../gateway/services.ts';
import { databaseUrl, runSql } from './database.ts';
import type { TestPostgres } from './postgres.ts';
import { eventually } from './processes.ts';
import { startSystemPostgres } from './system-postgres.ts';

/** Two PostgreSQL servers of the system's packages, an installation on the first one. */
export interface EjectionWorld {
  readonly admin: AdminHarness;
  readonly source: TestPostgres;
  readonly target: TestPostgres;
  /** Makes a database on the second server. @returns its superuser DSN */
  newTarget(): Promise<string>;
  /** Makes a tenant with these tables; its requests carry the role `service_role`. */
  newTenant(kind: 'shared' | 'database', sql: string): Promise<EjectedTenant>;
  /** A gateway of its own on the installation. @param wrapControlUrl puts something in between */
  startGateway(options?: { config?: ConfigInput; controlUrl?: string }): Promise<TestGateway>;
  /** The job at its end. */
  eject(tenantId: string, body: object): Promise<Json>;
  flipBack(tenantId: string, body: object): Promise<Json>;
  repatriate(tenantId: string, body: object): Promise<Json>;
  adopt(tenantId: string, body: object): Promise<Json>;
  /** Has the runner look for old copies whose time is over, as its clock does now and then. */
  lookForOldCopies(): Promise<void>;
  stop(): Promise<void>;
}

export interface EjectedTenant {
  readonly id: string;
  readonly host: string;
  readonly token: string;
  /** Its database on the first server. */
  readonly homeUrl: string;
}

export interface TestGateway {
  ask(tenant: EjectedTenant, method: string, path: string, body?: unknown): Promise<GatewayAnswer>;
  close(): Promise<void>;
}

export interface GatewayAnswer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
}

const JOB_TIMEOUT_MS = 1_200_000;
export const SECRET = 'secret-of-the-tenants-that-move-0123456789';

/** A token as the projects' own authentication signs it. */
export function signToken(claims: { readonly role: string; readonly sub?: string }): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(SECRET));
}

/**
 * A PostgreSQL of the version whose pg_dump is at hand: the embedded server comes without these programs.
 *
 * @throws {Error} where none is installed
 */
export async function startDumpablePostgres(): Promise<TestPostgres> {
  const tools = await findPostgresTools(15);
  if (tools === undefined)
    throw new Error('install PostgreSQL 15 or newer with its server (Debian: postgresql)');
  return startSystemPostgres(dirname(tools.pgDump), {
    max_connections: '200',
    synchronous_commit: 'on',
    wal_level: 'logical',
    max_wal_senders: '20',
  });
}

/** Has a server ask for passwords, as those of production do. */
async function withPasswords(postgres: TestPostgres): Promise<TestPostgres> {
  const [{ file }] = (await rowsOf<{ file: string }>(
    postgres.url,
    `SELECT current_setting('hba_file') AS file`,
  )) as [{ file: string }];
  await runSql(
    postgres.url,
    `SET password_encryption = 'scram-sha-256'; ALTER ROLE postgres PASSWORD 'of-postgres'`,
  );
  await writeFile(file, 'host all,replication all 127.0.0.1/32 scram-sha-256\n');
  await runSql(postgres.url, 'SELECT pg_reload_conf()');
  return { ...postgres, url: postgres.url.replace('postgres@', 'postgres:of-postgres@') };
}

export async function startEjectionWorld(options: { withPasswords?: boolean } = {}): Promise<EjectionWorld> {
  const [started, target] = await Promise.all([startDumpablePostgres(), startDumpablePostgres()]);
  const source = options.withPasswords === true ? await withPasswords(started) : started;
  const admin = await startAdminHarness({ serverUrl: source.url });
  const gateways: TestGateway[] = [];
  let targets = 0;
  return {
    admin,
    source,
    target,
    async newTarget() {
      const name = `target${++targets}`;
      await runSql(target.url, `CREATE DATABASE ${name} TEMPLATE template0`);
      return databaseUrl(target.url, name);
    },
    async newTenant(kind, sql) {
      const id = admin.tenantId();
      const host = `${id}.localhost`;
      const made = await admin.request('POST', '/v1/tenants', {
        body: { id, hosts: [host], placement: { kind }, jwt: { secret: SECRET } },
      });
      if (made.status !== 201) throw new Error(made.text);
      const job = await admin.migrate(id, sql);
      if (String(job.state) !== 'completed') throw new Error(JSON.stringify(job));
      const token = await signToken({ role: 'service_role' });
      const homeUrl = kind === 'shared' ? admin.sharedUrl : databaseUrl(source.url, `cascata_t_${id}`);
      return { id, host, token, homeUrl };
    },
    async startGateway({ config = {}, controlUrl = admin.controlUrl } = {}) {
      const gateway = await serve({ admin, config, controlUrl });
      gateways.push(gateway);
      return gateway;
    },
    eject: (tenantId, body) => runJob(admin, `/v1/tenants/${tenantId}/eject`, body),
    flipBack: (tenantId, body) => runJob(admin, `/v1/tenants/${tenantId}/eject/flip-back`, body),
    repatriate: (tenantId, body) => runJob(admin, `/v1/tenants/${tenantId}/repatriate`, body),
    adopt: (tenantId, body) => runJob(admin, `/v1/tenants/${tenantId}/adopt`, body),
    async lookForOldCopies() {
      const pool = new pg.Pool({ connectionString: admin.controlUrl, max: 1 });
      try {
        const boss = openSender(pool, () => undefined);
        await boss.start();
        await boss.send(OLD_COPIES_QUEUE, {});
        await boss.stop({ graceful: false });
      } finally {
        await pool.end();
      }
    },
    async stop() {
      for (const gateway of gateways) await gateway.close();
      await admin.stop();
      await Promise.all([source.stop(), target.stop()]);
    },
  };
}

async function runJob(admin: AdminHarness, path: string, body: object): Promise<Json> {
  const answer = await admin.request('POST', path, { body });
  if (answer.status !== 202) throw new Error(answer.text);
  const job = async () => (await admin.request('GET', `/v1/jobs/${String(answer.body.job?.id)}`)).body.job!;
  await eventually(async () => (await job()).finished_at !== null, {
    what: 'the job has ended',
    timeoutMs: JOB_TIMEOUT_MS,
  });
  return job();
}

async function serve({
  admin,
  config,
  controlUrl,
}: {
  admin: AdminHarness;
  config: ConfigInput;
  controlUrl: string;
}): Promise<TestGateway> {
  const loaded = loadGatewayConfig(
    {
      CASCATA_ENV: 'test',
      CASCATA_MASTER_KEY: admin.masterKey.reveal(),
      ADMIN_TOKEN: 'unused',
      CONTROL_DATABASE_URL: controlUrl,
      // Names the database of the shared tenants, which has a name of its own here.
      PGBOUNCER_URL: admin.sharedUrl,
      GATEWAY_PORT: '0',
      REMOTE_ALLOWED_NETWORKS: '127.0.0.1/32,::1/128',
    },
    config,
  );
  const metrics = createMetrics({ withProcessMetrics: false });
  const services = createServices(loaded, { observe: metrics.observe, metrics });
  const server = createGatewayServer(services, metrics.observe);
  const port = await server.listen();
  await eventually(async () => services.readiness() === undefined, { what: 'the gateway is ready' });
  return {
    ask: ({ host, token }, method, path, body) =>
      new Promise((resolve, reject) => {
        const asked = request(
          {
            port,
            host: '127.0.0.1',
            method,
            path: `/rest/v1${path}`,
            headers: {
              host,
              authorization: `Bearer ${token}`,
              ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            },
          },
          (answer) => {
            const chunks: Buffer[] = [];
            answer.on('data', (chunk: Buffer) => chunks.push(chunk));
            answer.once('error', reject);
            answer.once('end', () =>
              resolve({
                status: answer.statusCode ?? 0,
                text: Buffer.concat(chunks).toString(),
                retryAfter: answer.headers['retry-after'],
              }),
            );
          },
        );
        asked.once('error', reject);
        asked.end(body === undefined ? undefined : JSON.stringify(body));
      }),
    async close() {
      await server.drain(AbortSignal.timeout(2_000));
      await services.close();
    },
  };
}

/** Rows of a query on any server. */
export async function rowsOf<T extends pg.QueryResultRow>(
  url: string,
  text: string,
  values: unknown[] = [],
): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<T>(text, values)).rows;
  } finally {
    await client.end();
  }
}
