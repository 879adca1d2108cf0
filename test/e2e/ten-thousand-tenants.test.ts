import { Agent, request } from 'node:http';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootstrap } from '../../admin-worker/bootstrap.ts';
import { createGatewayServer } from '../../gateway/gateway-server.ts';
import { loadGatewayConfig } from '../../gateway/platform/config.ts';
import { createMetrics } from '../../gateway/platform/metrics.ts';
import { Secret } from '../../gateway/registry/secrets.ts';
import { createServices } from '../../gateway/services.ts';
import { makeManyTenants } from '../support/many-tenants.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres.ts';
import { eventually } from '../support/processes.ts';

const REGISTERED = 10_000;
const ACTIVE = 1_000;
/** Asked once, between the active ones. */
const PASSING = 1_500;
const POOL_SIZE = 10;
const CONCURRENCY = 32;
const MASTER_KEY = 'the master key of ten thousand tenants';
/** More than the active ones, less than all that are asked. */
const MAX_TENANTS = 1_500;
const MAX_PICTURE_BYTES = 16_000_000;

const ids = Array.from({ length: REGISTERED }, (_, i) => `t${String(i).padStart(5, '0')}`);
/** The same order each time, each of `some` once, neighbours far apart. */
const shuffled = (some: readonly string[]) => some.map((_, i) => some[(i * 379) % some.length]!);

let postgres: TestPostgres;
let superuser: pg.Client;
let port: number;
let agent: Agent;
let metrics: ReturnType<typeof createMetrics>;
let stopGateway: () => Promise<void>;

beforeAll(async () => {
  postgres = await startTestPostgres({ settings: { max_locks_per_transaction: '1024' } });
  const urlOf = (database: string) => postgres.url.replace(/\/postgres$/, `/${database}`);
  superuser = new pg.Client({ connectionString: postgres.url });
  await superuser.connect();
  await superuser.query('CREATE DATABASE control');
  const config = loadGatewayConfig(
    {
      CASCATA_ENV: 'test',
      CASCATA_MASTER_KEY: MASTER_KEY,
      CONTROL_DATABASE_URL: urlOf('control'),
      GATEWAY_PORT: '0',
    },
    {
      pools: { poolSize: POOL_SIZE },
      caches: { maxTenants: MAX_TENANTS, schemaCacheMaxBytes: MAX_PICTURE_BYTES },
    },
  );
  await bootstrap({ controlDatabaseUrl: new Secret(urlOf('control')), masterKey: new Secret(MASTER_KEY) });
  await makeManyTenants({
    ids,
    controlUrl: urlOf('control'),
    sharedUrl: urlOf('cascata_shared'),
    tenantSql: (id) => `CREATE VIEW notes AS SELECT 1 AS id, 'of ${id}'::text AS text`,
  });
  metrics = createMetrics({ withProcessMetrics: false });
  const services = createServices(config, { observe: metrics.observe, metrics });
  const server = createGatewayServer(services, metrics.observe);
  port = await server.listen();
  stopGateway = async () => {
    await server.drain(AbortSignal.timeout(1_000));
    await services.close();
  };
  await eventually(async () => services.readiness() === undefined, { what: 'ready' });
  agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
}, 600_000);

afterAll(async () => {
  agent?.destroy();
  await stopGateway?.();
  await superuser?.end();
  await postgres?.stop();
});

function get(id: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { host: `${id}.localhost` };
    const outgoing = request(
      { host: '127.0.0.1', port, path: '/rest/v1/notes', agent, headers },
      (incoming) => {
        let text = '';
        incoming.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        incoming.on('end', () => resolve(`${incoming.statusCode} ${text}`));
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** Asks each, a few at a time. @returns those whose answer was not their own row */
async function ask(some: readonly string[]): Promise<readonly string[]> {
  const wrong: string[] = [];
  const queue = some.values();
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      for (const id of queue) {
        const answer = await get(id);
        if (answer !== `200 [{"id":1,"text":"of ${id}"}]`) wrong.push(`${id}: ${answer}`);
      }
    }),
  );
  return wrong;
}

async function gauges(): Promise<ReadonlyMap<string, number>> {
  const lines = (await metrics.render()).split('\n').filter((line) => !line.startsWith('#'));
  return new Map(lines.map((line) => [line.replace(/ \S+$/, ''), Number(line.replace(/^.* /, ''))]));
}

async function sessions(): Promise<number> {
  const { rows } = await superuser.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM pg_stat_activity WHERE usename = 'cascata_trusted' AND application_name NOT LIKE 'cascata-listen-%'`,
  );
  return rows[0]?.count ?? 0;
}

test(`${REGISTERED} tenants registered, ${ACTIVE} active: right answers, one pool, caches within their bounds`, {
  timeout: 300_000,
}, async () => {
  const active = ids.slice(0, ACTIVE);
  const passing = ids.slice(-PASSING);
  expect(await ask(shuffled(active))).toEqual([]);
  const first = await gauges();
  expect(first.get('cascata_cached_tenants')).toBe(ACTIVE);
  expect(first.get('cascata_schema_caches')).toBe(ACTIVE);
  expect(first.get('cascata_schema_caches_by_size{le="16384"}')).toBe(ACTIVE);
  expect(first.get('cascata_schema_cache_loads_total{outcome="loaded"}')).toBe(ACTIVE);
  expect(await ask(shuffled(active))).toEqual([]);
  expect((await gauges()).get('cascata_schema_cache_loads_total{outcome="loaded"}')).toBe(ACTIVE);

  expect(await ask(passing)).toEqual([]);
  expect(await ask(shuffled(active))).toEqual([]);
  const last = await gauges();
  expect(last.get('cascata_cached_tenants')).toBe(MAX_TENANTS);
  expect(last.get('cascata_schema_cache_bytes')).toBeLessThanOrEqual(MAX_PICTURE_BYTES);
  expect(last.get('cascata_schema_cache_evictions_total')).toBeGreaterThan(0);
  // What was evicted was read again, and nothing else.
  const held = last.get('cascata_schema_caches') ?? 0;
  expect(held).toBeGreaterThan(ACTIVE / 2);
  expect(last.get('cascata_schema_cache_loads_total{outcome="loaded"}')).toBe(
    held + (last.get('cascata_schema_cache_evictions_total') ?? 0),
  );
  expect(await sessions()).toBeGreaterThan(0);
  expect(await sessions()).toBeLessThanOrEqual(POOL_SIZE);
  expect(last.get('cascata_pool_connections')).toBeLessThanOrEqual(POOL_SIZE);
  expect(await get('nobody')).toContain('404');
});
