import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Secret } from '../gateway/registry/secrets.ts';
import { SetupError } from './setup-error.ts';

/** Tenants that a development installation begins with; their SQL is in `demo/<id>`. */
export const DEMO_TENANTS = ['acme', 'globex'] as const;

const FIRST_JOB_POLL_MS = 50;
const MAX_JOB_POLL_MS = 500;
const JOB_TIMEOUT_MS = 30_000;

export interface TenantKeys {
  readonly anon: string;
  readonly service_role: string;
  readonly publishable: string;
  readonly secret: string;
}

export interface DemoTenant {
  readonly id: string;
  readonly host: string;
  readonly keys: TenantKeys;
}

export interface AdminApi {
  readonly url: string;
  readonly token: Secret;
  readonly signal: AbortSignal;
  /** Told of a schema that could not be brought up to date, which is no reason not to serve. */
  readonly warn: (sentence: string) => void;
}

/**
 * Makes the demo tenants that do not exist and brings their schemas up to date, as an operator would: through the admin API.
 *
 * @throws {SetupError} with the admin API's own words when it refuses
 */
export async function ensureDemoTenants(api: AdminApi): Promise<readonly DemoTenant[]> {
  return await Promise.all(DEMO_TENANTS.map((id) => ensureDemoTenant(api, id)));
}

async function ensureDemoTenant(api: AdminApi, id: string): Promise<DemoTenant> {
  const host = `${id}.localhost`;
  const existing = await call(api, 'GET', `/v1/tenants/${id}`);
  if (existing.status === 404) {
    const body = { id, hosts: [host], placement: { kind: 'shared' } };
    await expectSuccess(call(api, 'POST', '/v1/tenants', body), `creating the demo tenant ${id}`);
  }
  try {
    await migrate(api, id);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    api.warn(error.message);
  }
  const keys = await expectSuccess(call(api, 'GET', `/v1/tenants/${id}/keys`), `reading the keys of ${id}`);
  return { id, host, keys: parseKeys(keys) };
}

async function migrate(api: AdminApi, id: string): Promise<void> {
  const migrations = await readMigrations(id);
  const path = `/v1/tenants/${id}/migrations`;
  const accepted = await expectSuccess(
    call(api, 'POST', path, { migrations }),
    `migrating the demo tenant ${id}`,
  );
  const jobId = parseJob(accepted).id;
  const deadline = Date.now() + JOB_TIMEOUT_MS;
  for (let pollMs = FIRST_JOB_POLL_MS; ; pollMs = Math.min(pollMs * 2, MAX_JOB_POLL_MS)) {
    const job = parseJob(
      await expectSuccess(call(api, 'GET', `/v1/jobs/${jobId}`), `reading the job ${jobId}`),
    );
    if (job.state === 'completed') return;
    if (job.state === 'failed' || job.state === 'cancelled' || Date.now() > deadline) {
      throw new SetupError(
        `Migrating the demo tenant ${id} ended as ${job.state}: ${JSON.stringify(job.error)}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** Beside this file as source; a build emits no SQL, there the files are found in the source tree. */
async function readMigrations(id: string): Promise<readonly { name: string; sql: string }[]> {
  const base = extname(import.meta.url) === '.ts' ? './demo/' : '../../launcher/demo/';
  const directory = fileURLToPath(new URL(`${base}${id}`, import.meta.url));
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  return await Promise.all(
    names.map(async (name) => ({ name, sql: await readFile(join(directory, name), 'utf8') })),
  );
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function call(api: AdminApi, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${api.url}${path}`, {
    method,
    signal: api.signal,
    headers: { authorization: `Bearer ${api.token.reveal()}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
}

async function expectSuccess(answer: Promise<Answer>, what: string): Promise<unknown> {
  const { status, body } = await answer;
  if (status >= 200 && status < 300) return body;
  throw new SetupError(`The admin API answered ${status} on ${what}: ${JSON.stringify(body)}`);
}

function parseJob(body: unknown): { id: string; state: string; error: unknown } {
  const job = property(body, 'job');
  return {
    id: String(property(job, 'id')),
    state: String(property(job, 'state')),
    error: property(job, 'error'),
  };
}

function parseKeys(body: unknown): TenantKeys {
  const keys = property(body, 'keys');
  const key = (name: string) => String(property(keys, name) ?? '');
  return {
    anon: key('anon'),
    service_role: key('service_role'),
    publishable: key('publishable'),
    secret: key('secret'),
  };
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
