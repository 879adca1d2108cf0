import pg from 'pg';
import { type LimitDefaults, withLimitDefaults } from './limit-defaults.ts';
import type { RegistryReader } from './registry-reader.ts';
import type { Secret } from './secrets.ts';
import { TENANT_COLUMNS, tenantFromRow } from './tenant-row.ts';

export interface RegistryReaderOptions {
  /** DSN of the control database, e.g. with the login `cascata_gateway`; a pool of two connections is opened for it. */
  readonly url?: Secret;
  /** Used instead of `url`; stays open when the reader is closed. */
  readonly pool?: pg.Pool;
  readonly masterKey: Secret;
  /** For tenants that set none of their own. */
  readonly limits?: LimitDefaults;
  /** Hears of connections that broke while idle. */
  readonly onError?: (cause: unknown) => void;
}

export interface PostgresRegistryReader extends RegistryReader {
  /** Closes the connections it opened itself. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 3_000;
const QUERY_TIMEOUT_MS = 5_000;

/**
 * An exact host sorts before every pattern, a longer pattern before a shorter one. The revision is a hash of all that is read: sealed values are part of it, so a
 * changed secret changes it without being in it. A tenant whose revision is known is not sent once more, since nearly all readings find nothing new.
 */
const FIND_BY_HOST = `
  SELECT revision, CASE WHEN revision IS DISTINCT FROM $2 THEN tenant END AS tenant
  FROM (
    SELECT tenant, left(encode(sha256(convert_to(tenant::text, 'UTF8')), 'base64'), 22) AS revision
    FROM (
      SELECT to_json(found) AS tenant
      FROM (
        SELECT ${TENANT_COLUMNS}
        FROM control.tenant_hosts f
        JOIN control.tenants t ON t.id = f.tenant_id
        WHERE f.host = ANY($1::text[])
        ORDER BY f.host LIKE '*%', length(f.host) DESC
        LIMIT 1
      ) found
    ) encoded
  ) hashed`;

/** The registry read over plain SQL. Nothing is connected before the first call. */
export function createRegistryReader(options: RegistryReaderOptions): PostgresRegistryReader {
  const { masterKey, limits = {} } = options;
  const own = options.pool === undefined ? openPool(options) : undefined;
  const pool = options.pool ?? own!;

  return {
    async findTenantByHost(host, signal, known) {
      const rows = await query(pool, {
        name: 'find-tenant-by-host',
        text: FIND_BY_HOST,
        values: [hostCandidates(host), known?.revision],
        signal,
      });
      const [found] = rows as readonly { readonly revision: string; readonly tenant: unknown }[];
      if (found === undefined || found.revision === known?.revision) return found && known;
      return withLimitDefaults(tenantFromRow(found.tenant, found.revision, masterKey), limits);
    },
    async ping(signal) {
      await query(pool, { text: 'SELECT 1 FROM control.tenants LIMIT 1', values: [], signal });
    },
    async close() {
      await own?.end();
    },
  };
}

/**
 * The entries of `tenant_hosts` that would match a host.
 *
 * @example hostCandidates('a.b.example.com') // ['a.b.example.com', '*.b.example.com', '*.example.com', '*.com']
 */
export function hostCandidates(host: string): readonly string[] {
  const labels = host.split('.');
  return [host, ...labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`)];
}

function openPool({ url, onError }: RegistryReaderOptions): pg.Pool {
  if (url === undefined) throw new TypeError('createRegistryReader needs a url or a pool');
  const pool = new pg.Pool({
    connectionString: url.reveal(),
    max: 2,
    // After a quiet minute the first request of a tenant must not wait for a connection to be made.
    min: 1,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    idleTimeoutMillis: 30_000,
    application_name: 'cascata-registry-reader',
  });
  pool.on('error', (cause) => onError?.(cause));
  return pool;
}

interface SignalledQuery {
  /** Prepared under this name once for each connection: planning takes longer than running. */
  readonly name?: string;
  readonly text: string;
  readonly values: readonly unknown[];
  readonly signal: AbortSignal;
}

/** pg knows no signals: on abort the connection is thrown away, which is cheap here and certain. */
async function query(pool: pg.Pool, { signal, ...statement }: SignalledQuery): Promise<readonly unknown[]> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => undefined); // Told through the races below.
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const connecting = pool.connect();
    const client = await Promise.race([connecting, aborted.promise]).catch((error: unknown) => {
      connecting.then(
        (late) => late.release(),
        () => undefined,
      );
      throw error;
    });
    return await runOn(client, { ...statement, aborted: aborted.promise });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function runOn(
  client: pg.PoolClient,
  { aborted, values, ...statement }: Omit<SignalledQuery, 'signal'> & { aborted: Promise<never> },
): Promise<readonly unknown[]> {
  let isBroken = false;
  // Without a listener, a connection lost at the wrong moment would end the process.
  const onError = () => {
    isBroken = true;
  };
  client.on('error', onError);
  try {
    const answer = client.query<Record<string, unknown>>({ ...statement, values: [...values] });
    const { rows } = await Promise.race([answer, aborted]);
    return rows;
  } catch (error) {
    isBroken ||= !(error instanceof pg.DatabaseError);
    throw error;
  } finally {
    client.release(isBroken);
    client.removeListener('error', onError);
  }
}
