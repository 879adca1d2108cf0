import { createHmac } from 'node:crypto';
import { Secret } from '../registry/secrets.ts';
import type { GatewayConfig } from './config.ts';

/**
 * Database logins that are ours. Their passwords follow from the master key, so the process that makes them and the one that
 * uses them need share nothing else. The gateway uses only these and never a superuser.
 */
export const LOGINS = {
  /** Reads the registry in the control database. */
  gateway: 'cascata_gateway',
  /** Pool of `shared` tenants in `trusted` isolation: member of their roles. */
  trusted: 'cascata_trusted',
  /** Pool of `shared` tenants in `sealed` isolation: member of nothing. */
  sealed: 'cascata_sealed',
} as const;

/** Login of a tenant with a database of its own on the local cluster. */
export function tenantLogin(tenantId: string): string {
  return `${tenantId}_login`;
}

/** The database that holds all `shared` tenants, in the cluster of the control database. */
export const SHARED_DATABASE = 'cascata_shared';

/** Password of a login: base64url of HMAC-SHA256 under the master key. */
export function loginPassword(masterKey: Secret, login: string): Secret {
  return new Secret(
    createHmac('sha256', masterKey.reveal()).update(`cascata/login/${login}`).digest('base64url'),
  );
}

/** `baseUrl` with another user, password and (when given) database; host, port and parameters stay. */
export function loginUrl(
  baseUrl: Secret,
  { login, password, database }: { login: string; password: Secret; database?: string | undefined },
): Secret {
  const url = new URL(baseUrl.reveal());
  url.username = encodeURIComponent(login);
  url.password = encodeURIComponent(password.reveal());
  if (database !== undefined) url.pathname = `/${encodeURIComponent(database)}`;
  return new Secret(url.href);
}

type DsnSource = Pick<GatewayConfig, 'masterKey' | 'controlDatabaseUrl' | 'pgbouncerUrl' | 'sharedDatabase'>;

/** DSN of the control database for one of our logins, always direct: LISTEN does not work through PgBouncer. */
export function controlUrl({ masterKey, controlDatabaseUrl }: DsnSource, login: string): Secret {
  return loginUrl(controlDatabaseUrl, { login, password: loginPassword(masterKey, login) });
}

/**
 * DSN that `shared` tenants' traffic takes for one of our logins: through PgBouncer where PGBOUNCER_URL is set, in the database
 * that URL names, else `cascata_shared`.
 */
export function sharedUrl(source: DsnSource, login: string): Secret {
  const { masterKey, controlDatabaseUrl, pgbouncerUrl, sharedDatabase = SHARED_DATABASE } = source;
  const password = loginPassword(masterKey, login);
  if (pgbouncerUrl === undefined)
    return loginUrl(controlDatabaseUrl, { login, password, database: sharedDatabase });
  const named = databaseName(pgbouncerUrl);
  return loginUrl(pgbouncerUrl, { login, password, database: named ?? sharedDatabase });
}

/** DSN of another database of the local cluster (`database` placement), through PgBouncer where there is one. */
export function localDatabaseUrl(
  { masterKey, controlDatabaseUrl, pgbouncerUrl }: DsnSource,
  { login, database }: { login: string; database: string },
): Secret {
  return loginUrl(pgbouncerUrl ?? controlDatabaseUrl, {
    login,
    password: loginPassword(masterKey, login),
    database,
  });
}

/** `undefined` when the DSN names no database. */
export function databaseName(url: Secret): string | undefined {
  const name = decodeURIComponent(new URL(url.reveal()).pathname.slice(1));
  return name === '' ? undefined : name;
}

/** Hosts of our own servers, which a tenant's connection string must not lead to. */
export function ownHosts({
  controlDatabaseUrl,
  pgbouncerUrl,
}: Omit<DsnSource, 'masterKey'>): readonly string[] {
  return [controlDatabaseUrl, pgbouncerUrl].flatMap((url) => {
    if (url === undefined) return [];
    const { hostname, searchParams } = new URL(url.reveal());
    return [hostname, searchParams.get('host') ?? ''].filter((host) => host !== '');
  });
}
