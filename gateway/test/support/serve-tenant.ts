import { Client } from 'pg';
import { bootstrap } from '../../../admin-worker/bootstrap.ts';
import { executorsSql } from '../../../admin-worker/provision/executor.sql.ts';
import { createGatewayServer } from '../../gateway-server.ts';
import { type Config, loadConfig } from '../../platform/config.ts';
import { createMetrics } from '../../platform/metrics.ts';
import type { Observation } from '../../platform/observation.ts';
import { combineObservers } from '../../platform/observer.ts';
import { seal } from '../../registry/sealing.ts';
import { Secret } from '../../registry/secrets.ts';
import { tenantSealContext } from '../../registry/tenant-row.ts';
import { createServices } from '../../services.ts';

export interface TestGatewayOptions {
  /** DSN of the tenant's database, with the login requests run under. */
  readonly databaseUrl: string;
  /** By PostgREST's own names; `null` unsets one that has a default. */
  readonly postgrest: Readonly<Record<string, string | number | boolean | null>>;
  /** HS256, at least 32 characters. */
  readonly jwtSecret: string;
  /** Serves the same database as that of the shared tenants, sealed, and makes executors for these roles. */
  readonly sealedRoles?: readonly string[];
  /** As behind PgBouncer: another session for each transaction. */
  readonly isPooled?: boolean;
}

export interface TestGateway {
  /** `http://127.0.0.1:…`; send `host` as the Host header. */
  readonly url: string;
  readonly host: string;
  /** Everything told so far, in order. */
  readonly observations: readonly Observation[];
  close(): Promise<void>;
}

const TENANT_ID = 'subject';
const HOST = 'subject.localhost';
/** One for all test gateways: the passwords of the cluster's logins follow from it. */
const MASTER_KEY = 'master-key-of-the-test-gateways-0123456789';
const READY_POLLS = 200;

/**
 * Serves one tenant in this process, `remote` unless `sealedRoles` says otherwise: the real registry, real sockets. The names in the tenant's database are used as they
 * are.
 *
 * @param controlUrl superuser DSN of an empty database, which `close` leaves behind
 */
export async function serveTenant(controlUrl: string, options: TestGatewayOptions): Promise<TestGateway> {
  const config = testConfig(controlUrl, options);
  await bootstrap(config);
  await registerTenant(controlUrl, options);
  if (options.sealedRoles !== undefined) await makeExecutors(config, options.sealedRoles);
  const observations: Observation[] = [];
  const metrics = createMetrics({ withProcessMetrics: false });
  const observe = combineObservers(metrics.observe, (observation) => void observations.push(observation));
  const services = createServices(config, { observe, metrics });
  const server = createGatewayServer(services, observe);
  const port = await server.listen();
  await untilReady(() => services.readiness());
  return {
    url: `http://127.0.0.1:${port}`,
    host: HOST,
    observations,
    async close() {
      await server.drain(AbortSignal.timeout(2_000));
      await services.close();
    },
  };
}

function testConfig(controlDatabaseUrl: string, options: TestGatewayOptions): Config {
  const config = loadConfig(
    {
      CASCATA_ENV: 'test',
      CASCATA_MASTER_KEY: MASTER_KEY,
      ADMIN_TOKEN: 'unused',
      CONTROL_DATABASE_URL: controlDatabaseUrl,
      GATEWAY_PORT: '0',
      REMOTE_ALLOWED_NETWORKS: '127.0.0.1/32,::1/128',
    },
    {},
  );
  if (options.sealedRoles === undefined) return config;
  const sharedDatabase = new URL(options.databaseUrl).pathname.slice(1);
  const pgbouncerUrl =
    options.isPooled === true ? new Secret(sameServer(controlDatabaseUrl, sharedDatabase)) : undefined;
  // Some statements by their text, and those that come again by names.
  return { ...config, sharedDatabase, pgbouncerUrl, keptAfterUses: 2 };
}

async function makeExecutors(config: Config, roles: readonly string[]): Promise<void> {
  const url = sameServer(config.controlDatabaseUrl.reveal(), config.sharedDatabase!);
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(roles.map((role) => executorsSql(role, config.masterKey)).join('\n'));
  } finally {
    await client.end();
  }
}

function sameServer(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

async function registerTenant(controlUrl: string, options: TestGatewayOptions): Promise<void> {
  const masterKey = new Secret(MASTER_KEY);
  const sealed = (column: 'jwt' | 'connection_string', value: string) =>
    seal(value, { masterKey, context: tenantSealContext(TENANT_ID, column) });
  const isSealed = options.sealedRoles !== undefined;
  const client = new Client({ connectionString: controlUrl });
  await client.connect();
  try {
    await client.query(
      `INSERT INTO control.tenants
         (id, placement_kind, sealed_connection_string, isolation, jwt_kind, sealed_jwt, postgrest)
       VALUES ($1, $5, $2, $6, 'secret', $3, $4)`,
      [
        TENANT_ID,
        isSealed ? null : sealed('connection_string', options.databaseUrl),
        sealed('jwt', options.jwtSecret),
        JSON.stringify(options.postgrest),
        isSealed ? 'shared' : 'remote',
        isSealed ? 'sealed' : 'trusted',
      ],
    );
    await client.query('INSERT INTO control.tenant_hosts (host, tenant_id) VALUES ($1, $2)', [
      HOST,
      TENANT_ID,
    ]);
  } finally {
    await client.end();
  }
}

async function untilReady(readiness: () => string | undefined): Promise<void> {
  for (let poll = 0; poll < READY_POLLS; poll++) {
    if (readiness() === undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`The gateway is not ready: ${readiness()}`);
}
