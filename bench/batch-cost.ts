import { Pool as PgPool } from 'pg';
import { BatchWriter } from '../gateway/execute/batch-writer.ts';
import { Connection } from '../gateway/execute/connection.ts';
import { Pool } from '../gateway/execute/pool.ts';
import type { BatchPlan } from '../gateway/execute/role-switch/role-switch.ts';
import { SealedRoleSwitch } from '../gateway/execute/role-switch/sealed.ts';
import { TrustedRoleSwitch } from '../gateway/execute/role-switch/trusted.ts';
import { connectOptions } from '../gateway/platform/connect-options.ts';
import { executorToken } from '../gateway/platform/executors.ts';
import type { TransactionRequest } from '../gateway/query/transaction-request.ts';
import type { Secret } from '../gateway/registry/secrets.ts';
import { treeCpuUs } from './cpu.ts';
import { type BenchDatabase, provisionByHand, startDatabase } from './database.ts';
import { BENCH_TENANT, ROWS, SCENARIOS } from './scenarios.ts';

/*
 * What each part of a transaction costs without any HTTP: `node bench/batch-cost.ts`. Prints CPU microseconds per transaction of this
 * process and of PostgreSQL for the ways of sending the same work.
 */

const CONNECTIONS = 16;
const TRANSACTIONS = 12_000;
const ROUNDS = 4;

/** One transaction that reads one row. */
type Way = (id: string) => Promise<unknown>;

const ROLE = `${BENCH_TENANT}_anon`;

const roleSwitch = new TrustedRoleSwitch();
const text = SCENARIOS[0]?.floor.sql ?? '';

function requestFor(id: string): TransactionRequest {
  return {
    accessMode: 'read only',
    role: ROLE,
    isolationLevel: undefined,
    end: 'commit',
    variables: [
      ['search_path', `"${BENCH_TENANT}"`],
      ['request.jwt.claims', '{"role":"anon"}'],
      ['request.method', 'GET'],
      ['request.path', '/items'],
      ['request.headers', '{"host":"bench.localhost","accept":"application/json"}'],
      ['request.cookies', '{}'],
    ],
    statements: [{ text, values: [id], isOneRow: true }],
    statementTimeoutMs: 15_000,
  };
}

function ownPool(
  url: Secret,
  plan: (id: string, connection: Connection) => BatchPlan,
  isNamed: boolean,
): { way: Way; end: () => Promise<void> } {
  const config = connectOptions(url, {
    applicationName: 'batch-cost',
    connectTimeoutMs: 5_000,
  });
  const pool = new Pool(config, {
    maxConnections: CONNECTIONS,
    maxPerOwner: CONNECTIONS,
    idleTimeoutMs: 60_000,
    maxLifetimeMs: 600_000,
    maxPreparedStatements: 200,
  });
  return {
    way: async (id) => {
      const connection = pool.tryAcquire('', ROLE) ?? (await pool.acquire({ owner: '', timeoutMs: 10_000 }));
      try {
        const batch = plan(id, connection);
        const results = await connection.submit(batch, isNamed).result;
        return batch.wrapping === undefined ? results : batch.wrapping.unwrap(results);
      } finally {
        pool.release(connection);
      }
    },
    end: () => pool.drain(),
  };
}

/** The same batch, with connections from `pg-pool`. */
function pgPool(
  database: BenchDatabase,
  plan: (id: string) => BatchPlan,
): { way: Way; end: () => Promise<void> } {
  const pool = new PgPool({ connectionString: database.trustedUrl.reveal(), max: CONNECTIONS });
  const writer = new BatchWriter();
  const connections = new WeakMap<object, Connection>();
  return {
    way: async (id) => {
      const client = await pool.connect();
      try {
        let connection = connections.get(client);
        if (connection === undefined) {
          connection = Connection.over(client, { writer, maxPreparedStatements: 200 });
          connections.set(client, connection);
        }
        return await connection.submit(plan(id), true).result;
      } finally {
        client.release();
      }
    },
    end: () => pool.end(),
  };
}

/** Each statement sent when the one before has been answered, as a plain client does it. */
function awaited(database: BenchDatabase): { way: Way; end: () => Promise<void> } {
  const pool = new PgPool({ connectionString: database.trustedUrl.reveal(), max: CONNECTIONS });
  return {
    way: async (id) => {
      const client = await pool.connect();
      try {
        await client.query('BEGIN READ ONLY');
        const [, settings, main] = roleSwitch.planBatch(requestFor(id), 'implicit').statements;
        await client.query({
          name: 'settings',
          text: settings?.text ?? '',
          values: [...(settings?.values ?? [])],
        });
        const result = await client.query({ name: 'main', text: main?.text ?? '', values: [id] });
        await client.query('COMMIT');
        return result;
      } finally {
        client.release();
      }
    },
    end: () => pool.end(),
  };
}

async function measure(way: Way, postgresPid: number): Promise<{ ownUs: number; postgresUs: number }> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < TRANSACTIONS) await way(String((next++ % ROWS) + 1));
  };
  const [before, postgresBeforeUs] = [process.cpuUsage(), treeCpuUs(postgresPid)];
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  const { user, system } = process.cpuUsage(before);
  return {
    ownUs: (user + system) / TRANSACTIONS,
    postgresUs: (treeCpuUs(postgresPid) - postgresBeforeUs) / TRANSACTIONS,
  };
}

const database = await startDatabase();
try {
  await provisionByHand(database);
  await database.runShared('VACUUM ANALYZE');
  const plan = (id: string) => roleSwitch.planBatch(requestFor(id));
  const sealed = new SealedRoleSwitch({
    tokenFor: (role) => executorToken(database.masterKey, role).reveal(),
    keepsSession: true,
  });
  const pooled = new SealedRoleSwitch({
    tokenFor: (role) => executorToken(database.masterKey, role).reveal(),
    keepsSession: false,
  });
  const ways = {
    'one batch, named, own pool': ownPool(database.trustedUrl, plan, true),
    'sealed, named, own pool': ownPool(
      database.sealedUrl,
      (id, { sessionPrepared }) => sealed.planBatch(requestFor(id), 'implicit', sessionPrepared),
      true,
    ),
    'sealed, by text, own pool': ownPool(database.sealedUrl, (id) => sealed.planBatch(requestFor(id)), true),
    'sealed, as behind PgBouncer': ownPool(
      database.sealedUrl,
      (id, { sessionPrepared }) => pooled.planBatch(requestFor(id), 'implicit', sessionPrepared),
      true,
    ),
    'one batch, named, pg-pool': pgPool(database, plan),
    'one batch, unnamed, own pool': ownPool(database.trustedUrl, plan, false),
    'awaited one by one, named, pg-pool': awaited(database),
  };
  const totals = new Map<string, { ownUs: number; postgresUs: number }>();
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, { way }] of Object.entries(ways)) {
      const { ownUs, postgresUs } = await measure(way, database.pid);
      const total = totals.get(name) ?? { ownUs: 0, postgresUs: 0 };
      // Round 0 warms up.
      if (round > 0)
        totals.set(name, {
          ownUs: total.ownUs + ownUs / ROUNDS,
          postgresUs: total.postgresUs + postgresUs / ROUNDS,
        });
    }
  }
  for (const [name, { ownUs, postgresUs }] of totals) {
    process.stdout.write(
      `${name.padEnd(36)} node ${ownUs.toFixed(1)} µs  PostgreSQL ${postgresUs.toFixed(1)} µs\n`,
    );
  }
  for (const { end } of Object.values(ways)) await end();
} finally {
  await database.stop();
}
