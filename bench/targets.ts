import { access, chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultSettings } from '../gateway/platform/settings.ts';
import { findPgBouncer, startPgBouncer } from '../test/support/pgbouncer.ts';
import { createBenchTenant } from './admin-api.ts';
import type { TargetName } from './arguments.ts';
import { answers, type Child, freePort, nodeEntry, startChild } from './child.ts';
import type { BenchDatabase } from './database.ts';
import { findPostgrest } from './postgrest.ts';
import { BENCH_HOST, BENCH_TENANT, type Scenario, SEALED_HOST, SEALED_TENANT } from './scenarios.ts';
import { BENCH_JWT_SECRET, PHYSICAL_ROLE_CLAIM } from './tokens.ts';

const { poolSize: POOL_SIZE, maxTenantShare } = defaultSettings().pools;
/** Connections that the gateway gives one tenant by default: as many the others get who serve one. */
const ONE_TENANTS_SHARE = Math.floor(POOL_SIZE * maxTenantShare);

/** A server that can be measured. */
export interface Target {
  readonly name: TargetName;
  readonly pid: number;
  /** PgBouncer, where one is in between. */
  readonly poolerPid?: number;
  readonly port: number;
  /** In front of a scenario's paths. */
  readonly prefix: string;
  /** With every request. */
  readonly host: string;
  stop(): Promise<void>;
}

/** How a server is started. */
interface StartOptions {
  /** As `nodeEntry` takes it. */
  readonly under?: readonly string[];
}

/** Made anew for each scenario: it knows one statement. */
export async function startFloor(
  database: BenchDatabase,
  scenario: Scenario,
  { under }: StartOptions = {},
): Promise<Target> {
  const port = await freePort();
  const tenants = new Set(scenario.requests.map(({ host }) => host)).size;
  const child = await startChild({
    name: 'floor',
    ...nodeEntry('./floor.ts', under),
    env: {
      ...process.env,
      NODE_ENV: 'production',
      FLOOR_URL: database.trustedUrl.reveal(),
      FLOOR_STATEMENT: JSON.stringify(scenario.floor),
      FLOOR_PORT: String(port),
      FLOOR_CONNECTIONS: String(tenants > 1 ? POOL_SIZE : ONE_TENANTS_SHARE),
      FLOOR_IS_SPREAD: tenants > POOL_SIZE ? '1' : '0',
    },
    isReady: () => answers(`http://127.0.0.1:${port}/ready`),
  });
  return target('floor', child, port);
}

/**
 * Makes both tenants through the admin worker, which is stopped again, and starts the gateway on their registry. The first targets are one
 * process; the first one stops it. A string says why there is none behind PgBouncer.
 */
export async function startGateways(
  database: BenchDatabase,
  { withPgBouncer, under }: StartOptions & { readonly withPgBouncer: boolean },
): Promise<{ readonly targets: readonly Target[]; readonly missing: string | undefined }> {
  const [port, adminPort, poolerPort] = [await freePort(), await freePort(), await freePort()];
  const found = withPgBouncer ? findPgBouncer('1.24') : undefined;
  const missing = found !== undefined && 'reason' in found ? found.reason : undefined;
  const hasPooler = found !== undefined && missing === undefined;
  // PgBouncer runs as another account.
  const configDir = join(database.directory, 'pgbouncer');
  const poolerUrl = `postgres://127.0.0.1:${poolerPort}/cascata_shared`;
  const adminToken = 'the admin token of the benchmark!';
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    NODE_ENV: 'production',
    CONTROL_DATABASE_URL: database.controlUrl.reveal(),
    CASCATA_MASTER_KEY: database.masterKey.reveal(),
    DATA_DIR: database.directory,
    GATEWAY_PORT: String(port),
    ADMIN_PORT: String(adminPort),
    LOG_LEVEL: 'warn',
  };
  const admin = await startChild({
    name: 'admin worker',
    ...nodeEntry('../admin-worker/main.ts'),
    env: {
      ...env,
      // The repository's own settings for production are those of its containers.
      NODE_ENV: 'development',
      // Where PgBouncer is told to find PostgreSQL.
      CONTROL_DATABASE_URL: database.remoteControlUrl.reveal(),
      ADMIN_TOKEN: adminToken,
      ...(hasPooler ? { PGBOUNCER_URL: poolerUrl, PGBOUNCER_CONFIG_DIR: configDir } : {}),
    },
    isReady: () => answers(`http://127.0.0.1:${adminPort}/ready`),
  });
  try {
    const api = { url: `http://127.0.0.1:${adminPort}`, token: adminToken };
    await createBenchTenant(api, { id: BENCH_TENANT, host: BENCH_HOST, isolation: 'trusted' });
    await createBenchTenant(api, { id: SEALED_TENANT, host: SEALED_HOST, isolation: 'sealed' });
    if (hasPooler) await untilWritten(join(configDir, 'pgbouncer.ini'));
  } finally {
    await admin.stop();
  }
  const startOne = (at: number, extra: NodeJS.ProcessEnv) =>
    startChild({
      name: 'gateway',
      ...nodeEntry('../gateway/main.ts', under),
      env: {
        ...env,
        CONTROL_DATABASE_URL: database.remoteControlUrl.reveal(),
        GATEWAY_PORT: String(at),
        ...extra,
      },
      isReady: () => answers(`http://127.0.0.1:${at}/ready`),
    });
  const trusted = { ...target('gateway', await startOne(port, {}), port), prefix: '/rest/v1' };
  const sealed: Target = {
    ...trusted,
    name: 'gateway-sealed',
    host: SEALED_HOST,
    stop: () => Promise.resolve(),
  };
  if (!hasPooler) return { targets: [trusted, sealed], missing };
  await chmod(database.directory, 0o755);
  await mkdir(configDir, { recursive: true });
  // For its socket and pid file.
  await chmod(configDir, 0o777);
  const pooled = await startPooled(join(configDir, 'pgbouncer.ini'), (at) =>
    startOne(at, { PGBOUNCER_URL: poolerUrl }),
  );
  return { targets: [trusted, sealed, pooled], missing };
}

/** A gateway with a PgBouncer between it and PostgreSQL. */
async function startPooled(iniFile: string, startGateway: (port: number) => Promise<Child>): Promise<Target> {
  const pooler = await startPgBouncer('1.24', iniFile);
  // Whatever ends this process, it does not outlive it.
  const kill = (): void => void process.kill(pooler.pid, 'SIGKILL');
  process.once('exit', kill);
  const port = await freePort();
  const child = await startGateway(port);
  return {
    ...target('gateway-pgbouncer', child, port),
    prefix: '/rest/v1',
    poolerPid: pooler.pid,
    async stop() {
      await child.stop();
      await pooler.stop('SIGKILL');
      process.off('exit', kill);
    },
  };
}

async function untilWritten(file: string): Promise<void> {
  for (let poll = 0; poll < 200; poll++) {
    const isThere = await access(file).then(
      () => true,
      () => false,
    );
    if (isThere) return;
    await sleep(50);
  }
  throw new Error('the admin worker has not written pgbouncer.ini');
}

/** A string says why there is none. */
export async function startPostgrest(database: BenchDatabase): Promise<Target | string> {
  const binary = await findPostgrest();
  if (typeof binary === 'string') return binary;
  const [port, adminPort] = [await freePort(), await freePort()];
  const child = await startChild({
    name: `PostgREST ${binary.version}`,
    command: binary.path,
    args: [],
    env: {
      PGRST_DB_URI: database.trustedUrl.reveal(),
      PGRST_DB_SCHEMAS: BENCH_TENANT,
      PGRST_DB_ANON_ROLE: `${BENCH_TENANT}_anon`,
      PGRST_DB_POOL: String(ONE_TENANTS_SHARE),
      PGRST_SERVER_HOST: '127.0.0.1',
      PGRST_SERVER_PORT: String(port),
      PGRST_ADMIN_SERVER_PORT: String(adminPort),
      PGRST_LOG_LEVEL: 'crit',
      PGRST_JWT_SECRET: BENCH_JWT_SECRET,
      PGRST_JWT_ROLE_CLAIM_KEY: `.${PHYSICAL_ROLE_CLAIM}`,
    },
    isReady: () => answers(`http://127.0.0.1:${adminPort}/ready`),
  });
  return target('postgrest', child, port);
}

function target(name: TargetName, { pid, stop }: Child, port: number): Target {
  return { name, pid, port, prefix: '', host: BENCH_HOST, stop };
}
