/** A database that PgBouncer passes on. */
export interface PooledDatabase {
  /** What clients ask for. */
  readonly name: string;
  /** Its name in PostgreSQL. */
  readonly target: string;
  /** Connections to PostgreSQL of one login; absent: `poolSize`. */
  readonly poolSize?: number;
}

export interface PgBouncerIni {
  readonly databases: readonly PooledDatabase[];
  /** Where PgBouncer finds PostgreSQL. */
  readonly server: { readonly host: string; readonly port: number; readonly sslMode: string | undefined };
  readonly listen: { readonly host: string; readonly port: number };
  readonly userListFile: string;
  /** For the socket and the pid file. */
  readonly runDir: string;
  readonly poolSize: number;
  readonly maxDbConnections: number;
  readonly maxClientConnections: number;
  readonly lookup: { readonly login: string; readonly database: string };
  readonly consoleLogin: string;
}

/** The text of `pgbouncer.ini`. `pgbouncer/pgbouncer.ini` shows one; a test keeps the two in step. */
export function renderPgBouncerIni(ini: PgBouncerIni): string {
  const { server, listen, lookup, consoleLogin, runDir } = ini;
  const place = `host=${server.host} port=${server.port}`;
  const databases = ini.databases.map(
    ({ name, target, poolSize }) =>
      `${name} = ${place} dbname=${target}${poolSize === undefined ? '' : ` pool_size=${poolSize}`}`,
  );
  return `; Written by the admin worker from the registry; changes made here are lost.

[databases]
; Where logins are looked up; nobody else may connect to it.
${lookup.database} = ${place} dbname=${lookup.database} pool_size=2
; The shared tenants, then those with a database of their own. No other database can be reached.
${databases.join('\n')}

[pgbouncer]
listen_addr = ${listen.host}
listen_port = ${listen.port}
unix_socket_dir = ${runDir}
pidfile = ${runDir}/pgbouncer.pid

; A connection belongs to a client for one transaction. What that rules out is listed in pgbouncer/README.md.
pool_mode = transaction
; Named statements of the protocol are prepared again on whichever server connection a transaction gets (needs 1.21).
max_prepared_statements = 200
; Nothing to clean between transactions: the gateway sends RESET ALL in each batch.
server_reset_query =
${server.sslMode === undefined ? '' : `server_tls_sslmode = ${server.sslMode}\n`}
auth_type = scram-sha-256
auth_file = ${ini.userListFile}
auth_user = ${lookup.login}
auth_dbname = ${lookup.database}
auth_query = SELECT login, verifier FROM pgbouncer.lookup($1)
admin_users = ${consoleLogin}
stats_users = ${consoleLogin}

default_pool_size = ${ini.poolSize}
; Below PostgreSQL's max_connections, so that the admin worker and an operator always find a place.
max_db_connections = ${ini.maxDbConnections}
max_client_conn = ${ini.maxClientConnections}
reserve_pool_size = 5
reserve_pool_timeout = 2

; A tenant that went quiet gives its connections back soon.
server_idle_timeout = 60
; Statements that executors prepared go with their session; the gateway names others every half an hour.
server_lifetime = 1800
server_connect_timeout = 5
; PostgreSQL back after a restart is found at once instead of after the usual 15 s.
server_login_retry = 1
; Below the gateway's own deadline for a connection (10 s), so that the gateway hears why it waited.
query_wait_timeout = 8
; Clients that open a transaction and go silent must not keep a server connection.
idle_transaction_timeout = 60
client_login_timeout = 15

log_connections = 0
log_disconnections = 0
`;
}

/** The text of `userlist.txt`: PgBouncer's own logins. Everybody else is looked up in PostgreSQL. */
export function renderUserList(
  users: readonly { readonly login: string; readonly password: string }[],
): string {
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  return users.map(({ login, password }) => `${quoted(login)} ${quoted(password)}\n`).join('');
}
