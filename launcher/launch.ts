import { join } from 'node:path';
import { Client } from 'pg';
import type { LauncherConfig } from '../gateway/platform/config.ts';
import { SECRET_VARIABLE_NAMES } from '../gateway/platform/config-variables.ts';
import { quoteIdent } from '../gateway/platform/sql.ts';
import type { Secret } from '../gateway/registry/secrets.ts';
import { type DemoTenant, ensureDemoTenants } from './demo-tenants.ts';
import { ensureDataDir, keepSecret } from './development-secrets.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts';
import { assertPortFree, type Service, startService } from './service-process.ts';
import { SetupError } from './setup-error.ts';
import { isResolvable, renderWelcome } from './welcome.ts';

/** Name of the control database in the embedded server. */
const CONTROL_DATABASE = 'cascata_control';

const EMBEDDED_SETTINGS = {
  max_connections: '200',
  // An ejected tenant is followed by logical replication; changing this later would need a restart.
  wal_level: 'logical',
};

interface Secrets {
  readonly masterKey: Secret;
  readonly adminToken: Secret;
}

/** Everything that `npm start` runs: brought up in order, watched, and taken down in the opposite order. */
export class Launch {
  readonly #config: LauncherConfig;
  readonly #abort = new AbortController();
  /** Taken down last to first. */
  readonly #running: { stop(): Promise<void> }[] = [];

  constructor(config: LauncherConfig) {
    this.#config = config;
  }

  /** Makes `run` take everything down and return. */
  requestStop(reason: string): void {
    this.#abort.abort(new Error(`stopped: ${reason}`));
  }

  /**
   * @returns the exit status once everything has ended
   * @throws {SetupError} when it cannot start or a part of it ended by itself; nothing is left running then
   */
  async run(): Promise<number> {
    try {
      const failure = await this.#startAndWatch();
      if (failure === undefined) return 0;
      throw new SetupError(failure);
    } catch (error) {
      if (this.#abort.signal.aborted) return 0;
      throw error;
    } finally {
      for (const part of this.#running.reverse()) await part.stop();
    }
  }

  /** @returns a sentence about the part that ended by itself, `undefined` after `requestStop` */
  async #startAndWatch(): Promise<string | undefined> {
    const startedAt = performance.now();
    const { gateway, admin, dataDir } = this.#config;
    const { signal } = this.#abort;
    await assertPortFree({ ...gateway, variable: 'GATEWAY_PORT' });
    await assertPortFree({ ...admin, variable: 'ADMIN_PORT' });

    if (!this.#config.isProduction) await ensureDataDir(dataDir);
    const secrets = await this.#secrets();
    const { controlUrl, embedded } = await this.#controlDatabase();
    const env = childEnvironment(this.#config, { ...secrets, controlUrl });
    signal.throwIfAborted();

    const adminWorker = await this.#start({
      name: 'admin worker',
      entry: '../admin-worker/main',
      env,
      ...admin,
    });
    // The data plane does not get the admin token.
    const { ADMIN_TOKEN: _, ADMIN_TOKEN_PREVIOUS: _previous, ...gatewayEnv } = env;
    const gatewayService = await this.#start({
      name: 'gateway',
      entry: '../gateway/main',
      env: gatewayEnv,
      ...gateway,
    });

    const warn = (sentence: string) => void process.stderr.write(`${sentence}\n`);
    const api = { url: adminWorker.url, token: secrets.adminToken, signal, warn };
    const tenants = embedded === undefined ? [] : await ensureDemoTenants(api);
    await this.#welcome({ gatewayService, adminWorker, secrets, tenants, startedAt });

    const ends = [adminWorker.ended, gatewayService.ended];
    if (embedded !== undefined)
      ends.push(embedded.ended.then((words) => `PostgreSQL ended unexpectedly: ${words}.`));
    return await Promise.race([...ends, stopRequested(signal)]);
  }

  async #secrets(): Promise<Secrets> {
    const { masterKey, adminToken, dataDir } = this.#config;
    return {
      masterKey: masterKey ?? (await keepSecret(dataDir, 'master-key')),
      adminToken: adminToken ?? (await keepSecret(dataDir, 'admin-token')),
    };
  }

  async #controlDatabase(): Promise<{ controlUrl: Secret; embedded: EmbeddedPostgres | undefined }> {
    const { controlDatabaseUrl, dataDir } = this.#config;
    if (controlDatabaseUrl !== undefined) return { controlUrl: controlDatabaseUrl, embedded: undefined };
    const embedded = await startEmbeddedPostgres({
      clusterDir: join(dataDir, 'postgres'),
      auth: { kind: 'scram', password: await keepSecret(dataDir, 'postgres-password') },
      port: 0,
      settings: EMBEDDED_SETTINGS,
    });
    this.#running.push(embedded);
    await ensureDatabase(embedded.url('postgres'), CONTROL_DATABASE);
    return { controlUrl: embedded.url(CONTROL_DATABASE), embedded };
  }

  async #start(options: Parameters<typeof startService>[0]): Promise<Service> {
    const service = await startService(options, this.#abort.signal);
    this.#running.push(service);
    return service;
  }

  async #welcome(parts: {
    gatewayService: Service;
    adminWorker: Service;
    secrets: Secrets;
    tenants: readonly DemoTenant[];
    startedAt: number;
  }): Promise<void> {
    const { gatewayService, adminWorker, secrets, tenants, startedAt } = parts;
    const text = renderWelcome({
      gatewayUrl: gatewayService.url,
      gatewayPort: gatewayService.port,
      adminUrl: adminWorker.url,
      adminToken: this.#config.adminToken === undefined ? secrets.adminToken.reveal() : undefined,
      tenants,
      resolvesLocalhostNames: tenants[0] === undefined || (await isResolvable(tenants[0].host)),
      startedInMs: performance.now() - startedAt,
    });
    process.stdout.write(`${text}\n`);
  }
}

/** What the child processes read their configuration from: this process's variables, with the secrets filled in, and what has another default here. */
function childEnvironment(
  config: LauncherConfig,
  { masterKey, adminToken, controlUrl }: Secrets & { controlUrl: Secret },
): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const name of SECRET_VARIABLE_NAMES) delete env[`${name}_FILE`];
  env.CASCATA_MASTER_KEY = masterKey.reveal();
  env.ADMIN_TOKEN = adminToken.reveal();
  env.CONTROL_DATABASE_URL = controlUrl.reveal();
  if (config.pgbouncerUrl !== undefined) env.PGBOUNCER_URL = config.pgbouncerUrl.reveal();
  const replicas = config.readReplicaUrls.map((url) => url.reveal());
  if (replicas.length > 0) env.READ_REPLICA_URLS = replicas.join(',');
  env.DATA_DIR = config.dataDir;
  env.LOG_LEVEL = config.logLevel;
  if (config.remotes.allowedNetworks.length > 0)
    env.REMOTE_ALLOWED_NETWORKS = config.remotes.allowedNetworks.join(',');
  return env;
}

async function ensureDatabase(serverUrl: Secret, name: string): Promise<void> {
  const client = new Client({ connectionString: serverUrl.reveal() });
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${quoteIdent(name)}`);
  } catch (cause) {
    throw new SetupError(
      `The embedded PostgreSQL does not let us in (${cause instanceof Error ? cause.message : String(cause)}): DATA_DIR does not hold the secrets it was made with.`,
      { cause },
    );
  } finally {
    await client.end();
  }
}

function stopRequested(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
