import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { createTestDatabase, runSql } from '../../../../test/support/database.ts';
import { PoolCache, type PoolCacheOptions } from '../../../execute/pool-cache.ts';
import { runTransaction } from '../../../execute/run-transaction.ts';
import type { Observation } from '../../../platform/observation.ts';
import type { SqlValue } from '../../../platform/sql.ts';
import type { TransactionRequest } from '../../../query/transaction-request.ts';
import { Secret } from '../../../registry/secrets.ts';
import type { Upstream } from '../../../routing/upstream.ts';

export interface Bench {
  /** Superuser DSN of the database. */
  readonly adminUrl: string;
  /** DSN of a login that is a member of `reader` and `writer`, and nothing else. */
  readonly url: string;
  readonly reader: string;
  readonly writer: string;
  admin(text: string): Promise<void>;
  drop(): Promise<void>;
}

/** A database with the table `app.items`, a login, and two roles it can become. */
export async function makeBench(): Promise<Bench> {
  const tag = randomBytes(4).toString('hex');
  const [login, reader, writer] = [`login_${tag}`, `reader_${tag}`, `writer_${tag}`] as const;
  const database = await createTestDatabase({
    sql: `
      CREATE ROLE ${reader}; CREATE ROLE ${writer};
      CREATE ROLE ${login} LOGIN NOINHERIT PASSWORD 'secret' IN ROLE ${reader}, ${writer};
      CREATE SCHEMA app;
      GRANT USAGE, CREATE ON SCHEMA app TO ${reader}, ${writer};
      CREATE TABLE app.items (id bigint PRIMARY KEY, name text, parent bigint);
      INSERT INTO app.items SELECT i, 'item ' || i FROM generate_series(1, 10) i;
      ALTER TABLE app.items ADD CONSTRAINT parent_exists FOREIGN KEY (parent) REFERENCES app.items DEFERRABLE INITIALLY DEFERRED;
      GRANT SELECT ON app.items TO ${reader};
      GRANT ALL ON app.items TO ${writer};`,
  });
  const url = new URL(database.url);
  url.username = login;
  url.password = 'secret';
  return {
    adminUrl: database.url,
    url: url.href,
    reader,
    writer,
    admin: (text) => runSql(database.url, text),
    async drop() {
      await database.drop();
      await runSql(inject('postgresUrl'), `DROP ROLE ${login}, ${reader}, ${writer}`);
    },
  };
}

export interface TestPools extends AsyncDisposable {
  readonly pools: PoolCache;
  readonly observations: Observation[];
}

export function openPools(options: Partial<PoolCacheOptions> = {}): TestPools {
  const observations: Observation[] = [];
  const pools = new PoolCache({
    poolSize: 1,
    leasedPoolSize: 2,
    maxLeasedConnections: 4,
    connectTimeoutMs: 5_000,
    acquireTimeoutMs: 5_000,
    idleTimeoutMs: 60_000,
    preparedStatementsPerConnection: 200,
    observe: (observation) => observations.push(observation),
    ...options,
  });
  return { pools, observations, [Symbol.asyncDispose]: () => pools.close() };
}

export function upstreamAt(url: string, changes: Partial<Upstream> = {}): Upstream {
  return {
    name: 'shared',
    key: 'shared',
    role: 'primary',
    pooling: 'shared',
    ...changes,
    connectionString: new Secret(url),
  };
}

type Statement = string | readonly [text: string, ...values: SqlValue[]];

export function aRequest(
  role: string,
  statements: readonly Statement[],
  changes: Partial<TransactionRequest> = {},
): TransactionRequest {
  return {
    accessMode: 'read write',
    role,
    isolationLevel: undefined,
    end: 'commit',
    variables: [
      ['search_path', 'app'],
      ['request.jwt.claims', '{"role":"x"}'],
    ],
    statementTimeoutMs: undefined,
    ...changes,
    statements: statements.map((statement) =>
      typeof statement === 'string'
        ? { text: statement, values: [] }
        : { text: statement[0], values: statement.slice(1) },
    ),
  };
}

/** Runs a request and gives the first field of the first row of each statement. */
export async function firstFields(
  pools: PoolCache,
  upstream: Upstream,
  request: TransactionRequest,
): Promise<(string | null | undefined)[]> {
  const { results } = await runTransaction(pools, upstream, request);
  return results.map(({ rows }) => rows[0]?.[0]);
}
