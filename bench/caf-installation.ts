import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Client } from 'pg';
import { findPostgresTools } from '../admin-worker/postgres-tools/find-tools.ts';
import { SHARED_DATABASE } from '../gateway/platform/derived-logins.ts';
import { startEmbeddedPostgres } from '../launcher/embedded-postgres.ts';
import { answers, freePort, nodeEntry, startChild } from './child.ts';

const CONTROL_DATABASE = 'cascata_control';

/** A PostgreSQL and an admin worker of its own. */
export interface CafInstallation {
  readonly name: string;
  /** Superuser DSN of the database of the shared tenants. */
  readonly sharedUrl: string;
  /** Path of a program of PostgreSQL's. */
  tool(name: 'pg_dump' | 'pg_restore'): string;
  /** Runs SQL in the shared database as a tenant's owner. @returns bytes of the tenant's tables without indexes */
  fill(tenant: string, sql: string): Promise<{ readonly bytes: number }>;
  inEmptyDatabase<T>(work: (url: string) => Promise<T>): Promise<T>;
  raw(method: string, path: string, body?: string): Promise<Response>;
  call(method: string, path: string, body: object): Promise<Record<string, Record<string, unknown>>>;
  /** Asks for a job and waits for its end. @returns its id @throws {Error} when it fails */
  job(method: string, path: string, body: object): Promise<string>;
  /** @returns id of the upload */
  upload(content: AsyncIterable<Uint8Array>, size: number): Promise<string>;
  runnerPeakMb(): number;
  stop(): Promise<void>;
}

/** Starts both. The server is this machine's own, with settings of a small production; the embedded one has no dump tools. */
export async function startInstallation(directory: string): Promise<CafInstallation> {
  const tools = await findPostgresTools(1);
  if (tools === undefined)
    throw new Error('PostgreSQL with pg_dump has to be installed: apt install postgresql');
  await mkdir(directory, { recursive: true });
  for (const path of [dirname(directory), directory]) await chmod(path, 0o755);
  const server = await startEmbeddedPostgres({
    clusterDir: join(directory, 'cluster'),
    auth: { kind: 'trust' },
    port: 0,
    installation: { binaries: dirname(dirname(tools.pgDump)), localeArgs: ['--locale=C.UTF-8'] },
    settings: { shared_buffers: '256MB', max_wal_size: '4GB', max_connections: '60' },
  });
  const control = server.url(CONTROL_DATABASE).reveal();
  await run(server.url('postgres').reveal(), `CREATE DATABASE ${CONTROL_DATABASE} TEMPLATE template0`);
  const port = await freePort();
  const token = randomBytes(24).toString('base64url');
  const base = `http://127.0.0.1:${port}`;
  const worker = await startChild({
    name: 'the admin worker',
    ...nodeEntry('../admin-worker/main.ts'),
    env: {
      PATH: process.env.PATH,
      ADMIN_PORT: String(port),
      ADMIN_TOKEN: token,
      CASCATA_MASTER_KEY: randomBytes(32).toString('base64url'),
      CONTROL_DATABASE_URL: control,
      DATA_DIR: join(directory, 'data'),
    },
    isReady: () => answers(`${base}/ready`),
  });
  const sharedUrl = server.url(SHARED_DATABASE).reveal();
  const installation: CafInstallation = {
    name: basename(directory),
    sharedUrl,
    tool: (name) => (name === 'pg_dump' ? tools.pgDump : tools.pgRestore),
    async fill(tenant, sql) {
      await run(sharedUrl, `SET ROLE ${tenant}_owner; ${sql}`);
      const rows = await run(
        sharedUrl,
        `SELECT sum(pg_table_size(c.oid))::float8 AS bytes FROM pg_class c WHERE c.relnamespace = '${tenant}'::regnamespace AND c.relkind = 'r'`,
      );
      return { bytes: Number(rows[0]?.bytes) };
    },
    async inEmptyDatabase(work) {
      const url = server.url('postgres').reveal();
      await run(url, 'CREATE DATABASE bench_empty TEMPLATE template0');
      try {
        return await work(server.url('bench_empty').reveal());
      } finally {
        await run(url, 'DROP DATABASE bench_empty WITH (FORCE)');
      }
    },
    async raw(method, path, body) {
      const response = await fetch(base + path, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(typeof body === 'string' ? { 'content-type': 'application/json' } : {}),
        },
        ...(body === undefined ? {} : { body }),
      });
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
      return response;
    },
    async call(method, path, body) {
      const response = await installation.raw(method, path, JSON.stringify(body));
      return JSON.parse(await response.text());
    },
    async job(method, path, body) {
      const id = String((await installation.call(method, path, body)).job?.id);
      // To the end of its events: asking again and again would take a core's time from what is measured.
      await (await installation.raw('GET', `/v1/jobs/${id}/events`)).text();
      const { job } = JSON.parse(await (await installation.raw('GET', `/v1/jobs/${id}`)).text());
      if (job.state === 'completed') return id;
      throw new Error(`${path} ended as ${job.state}: ${JSON.stringify(job.error)}`);
    },
    async upload(content, size) {
      const begun = JSON.parse(await (await installation.raw('POST', '/v1/uploads')).text());
      let offset = 0;
      for await (const piece of content) {
        const range = `bytes ${offset}-${offset + piece.length - 1}/${size}`;
        const response = await fetch(`${base}/v1/uploads/${begun.upload.id}`, {
          method: 'PUT',
          headers: { authorization: `Bearer ${token}`, 'content-range': range },
          body: new Uint8Array(piece),
        });
        if (!response.ok) throw new Error(`upload: ${response.status} ${await response.text()}`);
        offset += piece.length;
      }
      return begun.upload.id;
    },
    runnerPeakMb: () => peakMb(childOf(worker.pid, 'runner/main')),
    async stop() {
      await worker.stop();
      await server.stop();
    },
  };
  return installation;
}

async function run(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

function childOf(parent: number, name: string): number {
  for (const entry of readdirSync('/proc').filter((pid) => /^\d+$/.test(pid))) {
    try {
      const status = readFileSync(`/proc/${entry}/status`, 'utf8');
      if (!new RegExp(`^PPid:\\s+${parent}$`, 'm').test(status)) continue;
      if (readFileSync(`/proc/${entry}/cmdline`, 'utf8').includes(name)) return Number(entry);
    } catch {
      // It ended meanwhile.
    }
  }
  throw new Error(`there is no process ${name}`);
}

function peakMb(pid: number): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1_000;
}
