import pg from 'pg';
import { connectOptions } from '../gateway/platform/connect-options.ts';
import type { NetworkPolicy } from '../gateway/platform/network-policy.ts';
import { Secret } from '../gateway/registry/secrets.ts';

/** The same server, another database. */
export function withDatabase(url: Secret, database: string): Secret {
  const changed = new URL(url.reveal());
  changed.pathname = `/${encodeURIComponent(database)}`;
  return new Secret(changed.href);
}

export interface PoolOptions {
  readonly url: Secret;
  readonly max: number;
  readonly applicationName: string;
  readonly onError: (cause: unknown) => void;
}

const CONNECT_TIMEOUT_MS = 5_000;

/** A pool that gives up connecting after a few seconds and whose idle connections may break unharmed. */
export function openPool({ url, max, applicationName, onError }: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url.reveal(),
    max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 30_000,
    application_name: applicationName,
  });
  pool.on('error', onError);
  return pool;
}

/**
 * Lends a connection of a pool to `work`. A connection lost between two statements is told by the next one; it must not end the
 * process, as an error event that nobody hears would.
 */
export async function withPooled<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let isBroken = false;
  const onError = () => {
    isBroken = true;
  };
  client.on('error', onError);
  try {
    return await work(client);
  } finally {
    client.release(isBroken);
    client.removeListener('error', onError);
  }
}

/** Runs `work` in one transaction; whatever it throws rolls back and rises. */
export function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  return withPooled(pool, async (client) => {
    await client.query('BEGIN');
    try {
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    } catch (error) {
      // Where even this fails the connection is gone, and with it the transaction.
      await client.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  });
}

/** A DSN that came with a tenant: where it may lead, and who may sign its server's certificate (PEM). */
export interface ForeignServer {
  readonly policy: NetworkPolicy;
  readonly caCertificate: string | undefined;
}

export interface ClientOptions {
  readonly url: Secret;
  readonly applicationName: string;
  readonly connectTimeoutMs?: number;
  /** Absent for servers of our own. */
  readonly foreign?: ForeignServer | undefined;
}

/** A database: its DSN, and for one that came with a tenant what goes with it. */
export type TenantServer = Pick<ClientOptions, 'url' | 'foreign'>;

/** Opens one connection for `work` and closes it whatever happens. */
export async function withClient<T>(
  { url, applicationName, connectTimeoutMs = CONNECT_TIMEOUT_MS, foreign }: ClientOptions,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(
    foreign === undefined
      ? {
          connectionString: url.reveal(),
          connectionTimeoutMillis: connectTimeoutMs,
          application_name: applicationName,
        }
      : connectOptions(url, { applicationName, connectTimeoutMs, ...foreign }),
  );
  // A loss while no query is running is told by the next query.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** SQLSTATE of an error that PostgreSQL raised. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}
