import { randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { type AdminHarness, startAdminHarness } from '../../../admin-worker/test/support/admin-harness.ts';
import { createGatewayServer } from '../../../gateway/gateway-server.ts';
import { loadGatewayConfig } from '../../../gateway/platform/config.ts';
import { createMetrics } from '../../../gateway/platform/metrics.ts';
import { createServices } from '../../../gateway/services.ts';
import { type Answer, openAgent, type Question, speak } from './speak.ts';
import { ATTACKER_SQL, VICTIM_SQL } from './tenant-sql.ts';

export interface Keys {
  readonly publishable: string;
  readonly secret: string;
  readonly anon: string;
}

/** Two tenants on one connection of one gateway, so that whatever the attacker leaves meets the victim. */
export interface Stage {
  readonly admin: AdminHarness;
  readonly port: number;
  readonly attacker: string;
  readonly victim: string;
  keys(id: string): Keys;
  /** A token signed as the tenant's own auth service signs. */
  sign(id: string, claims: Readonly<Record<string, unknown>>): Promise<string>;
  jwtSecret(id: string): string;
  /** `@a` → the attacker's id, `@b` → the victim's. */
  named(text: string): string;
  /** A request to a tenant's host with its secret key, unless the headers have another (or an empty) `apikey`. */
  call(id: string, target: string, question?: Question): Promise<Answer>;
  /** The attacker's function runs statements. */
  run(...statements: readonly string[]): Promise<Answer>;
  /** What the victim's next request finds in its session. */
  traces(): Promise<string>;
  stop(): Promise<void>;
}

/** A gateway of the stage's registry. Its port may change. */
export interface StageGateway {
  readonly port: number;
  close(): Promise<void>;
}

export interface StageOptions {
  /** Superuser DSN; the shared server otherwise. */
  readonly serverUrl?: string | undefined;
  /** Runs the gateway, and the jobs, elsewhere. */
  readonly openElsewhere?: (admin: AdminHarness) => Promise<StageGateway>;
}

export async function openStage({ serverUrl, openElsewhere }: StageOptions = {}): Promise<Stage> {
  const admin = await startAdminHarness({ serverUrl, withRunner: openElsewhere === undefined });
  const gateway = await (openElsewhere ?? openGateway)(admin);
  const attacker = admin.tenantId('mallory');
  const victim = admin.tenantId('bob');
  const keys = new Map<string, Keys>();
  const secrets = new Map<string, string>();
  for (const id of [attacker, victim]) {
    const secret = randomBytes(32).toString('hex');
    const body = { id, hosts: [`${id}.localhost`], jwt: { secret }, limits: { statement_timeout_ms: 3_000 } };
    const created = await admin.request('POST', '/v1/tenants', { body });
    if (created.status !== 201) throw new Error(created.text);
    const { publishable, secret: secretKey, anon } = created.body.keys ?? {};
    keys.set(id, { publishable: String(publishable), secret: String(secretKey), anon: String(anon) });
    secrets.set(id, secret);
  }
  const named = (text: string): string => text.replaceAll('@a', attacker).replaceAll('@b', victim);
  await migrate(admin, victim, VICTIM_SQL);
  await migrate(admin, attacker, named(ATTACKER_SQL));
  const agent = openAgent();
  const call: Stage['call'] = (id, target, { headers, ...question } = {}) =>
    speak({ port: gateway.port, agent }, `/rest/v1${target}`, {
      ...question,
      headers: {
        host: `${id}.localhost`,
        apikey: keys.get(id)!.secret,
        'content-type': 'application/json',
        ...headers,
      },
    });
  return {
    admin,
    get port() {
      return gateway.port;
    },
    attacker,
    victim,
    keys: (id) => keys.get(id)!,
    jwtSecret: (id) => secrets.get(id)!,
    sign: (id, claims) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode(secrets.get(id)!)),
    named,
    call,
    run: (...statements) =>
      call(attacker, '/rpc/run', {
        method: 'POST',
        body: JSON.stringify({ statements: statements.map(named) }),
      }),
    traces: async () => (await call(victim, '/rpc/traces', { method: 'POST', body: '{}' })).text,
    async stop() {
      agent.destroy();
      await gateway.close();
      await admin.stop();
    },
  };
}

async function openGateway(admin: AdminHarness): Promise<StageGateway> {
  const config = loadGatewayConfig(
    {
      CASCATA_ENV: 'test',
      CASCATA_MASTER_KEY: admin.masterKey.reveal(),
      CONTROL_DATABASE_URL: admin.controlUrl,
      GATEWAY_PORT: '0',
    },
    { pools: { poolSize: 1 } },
  );
  const metrics = createMetrics({ withProcessMetrics: false });
  const { observe } = metrics;
  const services = createServices({ ...config, sharedDatabase: admin.sharedDatabase }, { observe, metrics });
  const server = createGatewayServer(services, observe);
  return {
    port: await server.listen(),
    async close() {
      await server.drain(AbortSignal.timeout(1_000));
      await services.close();
    },
  };
}

async function migrate(admin: AdminHarness, id: string, sql: string): Promise<void> {
  const job = await admin.migrate(id, sql);
  if (String(job.state) !== 'completed') throw new Error(JSON.stringify(job));
}
