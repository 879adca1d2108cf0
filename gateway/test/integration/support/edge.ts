import { createHash } from 'node:crypto';
import { SignJWT } from 'jose';
import { Client } from 'pg';
import { bootstrap } from '../../../../admin-worker/bootstrap.ts';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/database.ts';
import { createGatewayServer } from '../../../gateway-server.ts';
import type { HttpServer } from '../../../http/http-server.ts';
import { loadGatewayConfig } from '../../../platform/config.ts';
import type { ConfigInput } from '../../../platform/config-schema.ts';
import { createMetrics } from '../../../platform/metrics.ts';
import type { Observation } from '../../../platform/observation.ts';
import { combineObservers } from '../../../platform/observer.ts';
import { seal } from '../../../registry/sealing.ts';
import { Secret } from '../../../registry/secrets.ts';
import { tenantSealContext } from '../../../registry/tenant-row.ts';
import { createServices, type Services } from '../../../services.ts';

/** Same as that of the other tests' gateways: the passwords of the cluster's logins follow from it. */
export const EDGE_MASTER_KEY = 'master-key-of-the-test-gateways-0123456789';

export interface EdgeTenant {
  readonly id: string;
  readonly jwtSecret: string;
  readonly publishable: string;
  readonly secret: string;
}

export interface Edge {
  readonly port: number;
  readonly url: string;
  readonly server: HttpServer;
  readonly services: Services;
  readonly observations: readonly Observation[];
  readonly controlUrl: string;
  /** Superuser DSN of the database that holds both tenants. */
  readonly tenantUrl: string;
  readonly acme: EdgeTenant;
  readonly globex: EdgeTenant;
  /** Statements on the control database. */
  control(text: string, values?: readonly unknown[]): Promise<void>;
  close(): Promise<void>;
  /** What `close` does last. */
  dropDatabases(): Promise<void>;
}

export interface EdgeOptions {
  /** Puts something between the gateway and the control database. */
  readonly wrapControlUrl?: (controlUrl: string) => Promise<string>;
  /** A control database without a schema yet, in place of one on the server that all tests share. */
  readonly control?: string;
}

/** Two tenants in schemas of one database, each with a table `notes`, and a gateway in this process in front of them. */
export async function startEdge(config: ConfigInput = {}, options: EdgeOptions = {}): Promise<Edge> {
  const { controlUrl, tenantUrl, close: drop } = await createEdgeDatabases(options.control);
  const gatewayControlUrl = (await options.wrapControlUrl?.(controlUrl)) ?? controlUrl;
  const observations: Observation[] = [];
  const metrics = createMetrics({ withProcessMetrics: false });
  const observe = combineObservers(metrics.observe, (observation) => void observations.push(observation));
  const gatewayConfig = loadGatewayConfig(edgeEnvironment(gatewayControlUrl), config);
  const services = createServices(gatewayConfig, { observe, metrics });
  const server = createGatewayServer(services, observe);
  const port = await server.listen();
  await untilTrue(() => services.readiness() === undefined);
  const [acme, globex] = [anEdgeTenant('acme'), anEdgeTenant('globex')];
  for (const tenant of [acme, globex]) await registerEdgeTenant(controlUrl, tenantUrl, tenant);
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    server,
    services,
    observations,
    controlUrl,
    tenantUrl,
    acme,
    globex,
    control: (text, values = []) => runOn(controlUrl, text, values),
    async close() {
      await server.drain(AbortSignal.timeout(1_000));
      await services.close();
      await drop();
    },
    dropDatabases: drop,
  };
}

/** Variables for a gateway that runs as a process of its own, or here. */
export function edgeEnvironment(controlUrl: string): Record<string, string> {
  return {
    CASCATA_ENV: 'test',
    CASCATA_MASTER_KEY: EDGE_MASTER_KEY,
    CONTROL_DATABASE_URL: controlUrl,
    GATEWAY_PORT: '0',
    REMOTE_ALLOWED_NETWORKS: '127.0.0.1/32,::1/128',
  };
}

export async function createEdgeDatabases(givenControl?: string): Promise<{
  readonly controlUrl: string;
  readonly tenantUrl: string;
  close(): Promise<void>;
}> {
  const control =
    givenControl === undefined ? await createTestDatabase() : { url: givenControl, drop: async () => {} };
  const data: TestDatabase = await createTestDatabase({ sql: TENANT_SQL });
  await bootstrap({ controlDatabaseUrl: new Secret(control.url), masterKey: new Secret(EDGE_MASTER_KEY) });
  return {
    controlUrl: control.url,
    tenantUrl: data.url,
    close: async () => {
      await control.drop();
      await data.drop();
    },
  };
}

export function anEdgeTenant(id: string): EdgeTenant {
  return {
    id,
    jwtSecret: `secret-of-${id}-with-at-least-32-characters`,
    publishable: `sb_publishable_${id}-0123456789abcdefgh_checksum`,
    secret: `sb_secret_${id}-0123456789abcdefgh_checksum`,
  };
}

export async function registerEdgeTenant(
  controlUrl: string,
  tenantUrl: string,
  tenant: EdgeTenant,
): Promise<void> {
  const { id, jwtSecret, publishable, secret } = tenant;
  const masterKey = new Secret(EDGE_MASTER_KEY);
  const sealed = (column: 'jwt' | 'connection_string', value: string) =>
    seal(value, { masterKey, context: tenantSealContext(id, column) });
  await runOn(
    controlUrl,
    `INSERT INTO control.tenants
       (id, placement_kind, sealed_connection_string, isolation, schema_prefix, role_prefix, jwt_kind, sealed_jwt, postgrest)
     VALUES ($1, 'remote', $2, 'trusted', $3, $3, 'secret', $4, '{"db-anon-role": "anon"}')`,
    [id, sealed('connection_string', tenantUrl), `edge_${id}`, sealed('jwt', jwtSecret)],
  );
  await runOn(controlUrl, `INSERT INTO control.tenant_hosts (host, tenant_id) VALUES ($1, $2), ($3, $2)`, [
    `${id}.localhost`,
    id,
    `*.${id}.example.com`,
  ]);
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  await runOn(
    controlUrl,
    `INSERT INTO control.api_keys (tenant_id, kind, role, sha256, sealed)
     VALUES ($1, 'publishable', 'anon', $2, ''), ($1, 'secret', 'service_role', $3, '')`,
    [id, sha256(publishable), sha256(secret)],
  );
}

export function signFor(
  { jwtSecret }: EdgeTenant,
  claims: Record<string, unknown>,
  header: { alg: string } = { alg: 'HS256' },
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader(header).sign(new TextEncoder().encode(jwtSecret));
}

export async function untilTrue(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('it did not come true in ten seconds');
}

async function runOn(url: string, text: string, values: readonly unknown[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text, [...values]);
  } finally {
    await client.end();
  }
}

// Roles belong to the whole server, so they are made only where absent, and several files may do so at once.
/** Schemas, roles and tables of both tenants. */
export const TENANT_SQL = ['acme', 'globex']
  .map(
    (id) => `
      DO $$
      DECLARE wanted text;
      BEGIN
        FOREACH wanted IN ARRAY ARRAY['edge_${id}_anon', 'edge_${id}_authenticated', 'edge_${id}_service_role'] LOOP
          BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
          EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
          END;
        END LOOP;
      END $$;
      CREATE SCHEMA edge_${id};
      CREATE TABLE edge_${id}.notes (id int PRIMARY KEY, body text NOT NULL);
      CREATE TABLE edge_${id}.secrets (id int PRIMARY KEY);
      INSERT INTO edge_${id}.notes VALUES (1, 'first of ${id}'), (2, 'second of ${id}');
      CREATE FUNCTION edge_${id}.whoami() RETURNS json LANGUAGE sql STABLE AS
        $$ SELECT json_build_object('role', current_user, 'claims', current_setting('request.jwt.claims')::json) $$;
      CREATE FUNCTION edge_${id}.slow(seconds float8) RETURNS text LANGUAGE sql STABLE AS
        $$ SELECT 'slept' FROM pg_sleep(seconds) $$;
      CREATE FUNCTION edge_${id}.many() RETURNS TABLE (i int) LANGUAGE sql STABLE AS $$ SELECT generate_series(1, 9) $$;
      GRANT USAGE ON SCHEMA edge_${id} TO edge_${id}_anon, edge_${id}_authenticated, edge_${id}_service_role;
      GRANT ALL ON edge_${id}.notes TO edge_${id}_anon, edge_${id}_authenticated, edge_${id}_service_role;`,
  )
  .join('\n');
