import { join } from 'node:path';
import type { Pool } from 'pg';
import { databaseName, loginPassword, loginUrl } from '../../gateway/platform/derived-logins.ts';
import type { Settings } from '../../gateway/platform/settings.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { tenantDatabaseName } from '../provision/database-tenant.ts';
import { LOOKUP_DATABASE, LOOKUP_LOGIN } from './install-lookup.ts';
import { type PooledDatabase, renderPgBouncerIni, renderUserList } from './pgbouncer-ini.ts';

export interface PgBouncerOptions {
  readonly settings: Settings['pgbouncer'];
  /** Where the gateway finds PgBouncer; the admin console is there too. */
  readonly pgbouncerUrl: Secret;
  /** DSN of the cluster, as PgBouncer reaches it too. */
  readonly controlDatabaseUrl: Secret;
  readonly masterKey: Secret;
  readonly sharedDatabase: string;
}

/** Known to PgBouncer alone. */
const CONSOLE_LOGIN = 'cascata_console';
const DEFAULT_PORT = 6432;

/** DSN of the admin console. */
export function consoleUrl({ pgbouncerUrl, masterKey }: PgBouncerOptions): Secret {
  return loginUrl(pgbouncerUrl, {
    login: CONSOLE_LOGIN,
    password: loginPassword(masterKey, CONSOLE_LOGIN),
    database: 'pgbouncer',
  });
}

/** What is to be in the folder: file names and texts. `userlist.txt` holds passwords. */
export function pgBouncerFiles(
  options: PgBouncerOptions,
  { configDir, databases }: { readonly configDir: string; readonly databases: readonly PooledDatabase[] },
): { readonly ini: string; readonly userList: string } {
  const { settings, pgbouncerUrl, controlDatabaseUrl, masterKey } = options;
  const server = new URL(controlDatabaseUrl.reveal());
  const bouncer = new URL(pgbouncerUrl.reveal());
  const ini = renderPgBouncerIni({
    databases: [sharedEntry(options), ...databases],
    server: {
      host: server.searchParams.get('host') ?? server.hostname.replace(/^\[|\]$/g, ''),
      port: Number(server.port || 5432),
      sslMode: server.searchParams.get('sslmode') ?? undefined,
    },
    listen: { host: settings.listenHost, port: Number(bouncer.port || DEFAULT_PORT) },
    userListFile: join(configDir, 'userlist.txt'),
    runDir: settings.runDir ?? configDir,
    poolSize: settings.poolSize,
    maxDbConnections: settings.maxDbConnections,
    maxClientConnections: settings.maxClientConnections,
    lookup: { login: LOOKUP_LOGIN, database: LOOKUP_DATABASE },
    consoleLogin: CONSOLE_LOGIN,
  });
  const password = (login: string) => loginPassword(masterKey, login).reveal();
  const userList = renderUserList(
    [LOOKUP_LOGIN, CONSOLE_LOGIN].map((login) => ({ login, password: password(login) })),
  );
  return { ini, userList };
}

/** Databases that tenants have on our cluster, also of those that live elsewhere by now: they may come back. */
export async function tenantDatabases(
  control: Pick<Pool, 'query'>,
  { databasePoolSize }: Settings['pgbouncer'],
): Promise<readonly PooledDatabase[]> {
  const { rows } = await control.query<{ id: string; max_in_flight: number | null }>(
    `SELECT id, max_in_flight FROM control.tenants WHERE role_prefix IS NOT NULL AND schema_prefix IS NULL ORDER BY id`,
  );
  return rows.map(({ id, max_in_flight }) => {
    const name = tenantDatabaseName(id);
    return { name, target: name, poolSize: Math.min(databasePoolSize, max_in_flight ?? databasePoolSize) };
  });
}

/** PGBOUNCER_URL may give the shared database another name. */
function sharedEntry({ pgbouncerUrl, sharedDatabase }: PgBouncerOptions): PooledDatabase {
  return { name: databaseName(pgbouncerUrl) ?? sharedDatabase, target: sharedDatabase };
}
