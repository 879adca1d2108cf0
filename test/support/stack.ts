import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SignJWT } from 'jose';
import { findProcesses, startProcess } from './processes.ts';

export interface TenantKeys {
  readonly anon: string;
  readonly service_role: string;
  readonly publishable: string;
  readonly secret: string;
}

/** A tenant with a host of its own and, when made here, a secret to sign users' tokens with. */
export interface StackTenant {
  readonly id: string;
  /** `http://<id>.localhost:<port>`; reach it with `localhostFetch`. */
  readonly url: string;
  readonly keys: TenantKeys;
  /** A token as the project's auth service would give to a user. */
  userToken(sub: string, claims?: Readonly<Record<string, unknown>>): Promise<string>;
}

/** What `npm start` runs, as real processes on ports of their own and with data of their own. */
export interface Stack {
  readonly gatewayUrl: string;
  readonly adminUrl: string;
  readonly adminToken: string;
  /** `DATA_DIR` of its processes. */
  readonly dataDir: string;
  /** Everything printed so far. */
  readonly output: { readonly stdout: string; readonly stderr: string };
  /** Calls the admin API. @throws {Error} with its answer when that is no success */
  admin(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Makes a `shared` tenant and runs the statements as its owner. */
  createTenant(id: string, sql: string, postgrest?: Readonly<Record<string, unknown>>): Promise<StackTenant>;
  /** The same with a database of its own. */
  createDatabaseTenant(id: string, sql: string): Promise<StackTenant>;
  /** Superuser DSN of a database of its PostgreSQL. */
  databaseUrl(database: string): Promise<string>;
  /** Id of the gateway's process. Linux only. */
  gatewayPid(): Promise<number>;
  /** Ends all of it and removes the data. */
  stop(): Promise<void>;
}

const JOB_POLLS = 300;

/** Starts everything and waits until requests can be served. */
export async function startStack(env: Readonly<Record<string, string>> = {}): Promise<Stack> {
  const dataDir = await mkdtemp(join(tmpdir(), 'cascata-stack-'));
  const adminToken = randomBytes(24).toString('hex');
  const launched = startProcess([process.execPath, 'launcher/main.ts'], {
    DATA_DIR: dataDir,
    GATEWAY_PORT: '0',
    ADMIN_PORT: '0',
    ADMIN_TOKEN: adminToken,
    ...env,
  });
  const stop = async () => {
    launched.kill('SIGTERM');
    await launched.ended;
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    await launched.printed(/Cascata Edge is ready/);
    const [, gatewayUrl = ''] = await launched.printed(/^ {2}gateway\s+(\S+)$/m);
    const [, adminUrl = ''] = await launched.printed(/^ {2}admin worker\s+(\S+)$/m);
    const admin = (method: string, path: string, body?: unknown) =>
      callAdmin({ adminUrl, adminToken }, { method, path, body });
    return {
      gatewayUrl,
      adminUrl,
      adminToken,
      dataDir,
      output: launched.output,
      admin,
      createTenant: (id, sql, postgrest = {}) =>
        createTenant(admin, { id, sql, postgrest, gatewayUrl, kind: 'shared' }),
      createDatabaseTenant: (id, sql) =>
        createTenant(admin, { id, sql, postgrest: {}, gatewayUrl, kind: 'database' }),
      databaseUrl: (database) => databaseUrl(dataDir, database),
      gatewayPid: () => gatewayPid(dataDir),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** PostgreSQL writes its port into the fourth line of its lock file. */
async function databaseUrl(dataDir: string, database: string): Promise<string> {
  const lock = await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8');
  const password = await readFile(join(dataDir, 'secrets', 'postgres-password'), 'utf8');
  return `postgres://postgres:${encodeURIComponent(password.trim())}@127.0.0.1:${lock.split('\n')[3]}/${database}`;
}

async function gatewayPid(dataDir: string): Promise<number> {
  const [ours, gateways] = await Promise.all([findProcesses(dataDir), findProcesses('/gateway/main.')]);
  const pid = gateways.find((gateway) => ours.includes(gateway));
  if (pid === undefined) throw new Error('there is no gateway process');
  return pid;
}

type CallAdmin = Stack['admin'];

async function callAdmin(
  { adminUrl, adminToken }: { adminUrl: string; adminToken: string },
  { method, path, body }: { method: string; path: string; body: unknown },
): Promise<unknown> {
  const response = await fetch(adminUrl + path, {
    method,
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

async function createTenant(
  admin: CallAdmin,
  options: {
    id: string;
    sql: string;
    postgrest: Readonly<Record<string, unknown>>;
    gatewayUrl: string;
    kind: 'shared' | 'database';
  },
): Promise<StackTenant> {
  const { id, sql, postgrest, gatewayUrl, kind } = options;
  const secret = randomBytes(32).toString('hex');
  const host = `${id}.localhost`;
  const created = await admin('POST', '/v1/tenants', {
    id,
    hosts: [host],
    placement: { kind },
    jwt: { secret },
    postgrest,
  });
  const migration = { name: '202611220001__everything.sql', sql: `-- UP\n${sql}\n-- DOWN\nSELECT 1;\n` };
  const accepted = await admin('POST', `/v1/tenants/${id}/migrations`, { migrations: [migration] });
  await finished(admin, String(member(member(accepted, 'job'), 'id')));
  const keys = member(created, 'keys');
  const key = (name: string) => String(member(keys, name));
  return {
    id,
    url: `http://${host}:${new URL(gatewayUrl).port}`,
    keys: {
      anon: key('anon'),
      service_role: key('service_role'),
      publishable: key('publishable'),
      secret: key('secret'),
    },
    userToken: (sub, claims = {}) =>
      new SignJWT({ role: 'authenticated', aud: 'authenticated', ...claims })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setSubject(sub)
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(new TextEncoder().encode(secret)),
  };
}

async function finished(admin: CallAdmin, jobId: string): Promise<void> {
  for (let poll = 0; poll < JOB_POLLS; poll++) {
    const job = member(await admin('GET', `/v1/jobs/${jobId}`), 'job');
    const state = member(job, 'state');
    if (state === 'completed') return;
    if (state === 'failed' || state === 'cancelled') throw new Error(`A job ended as ${JSON.stringify(job)}`);
    await sleep(100);
  }
  throw new Error(`The job ${jobId} does not end`);
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
