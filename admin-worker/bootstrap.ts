import { setTimeout } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import { LOGINS, loginPassword, SHARED_DATABASE } from '../gateway/platform/derived-logins.ts';
import type { Settings } from '../gateway/platform/settings.ts';
import { quoteIdent, quoteLiteral } from '../gateway/platform/sql.ts';
import type { Secret } from '../gateway/registry/secrets.ts';
import { sqlStateOf, withClient, withDatabase } from './connections.ts';
import { migrateControlSchema } from './control-migrations.ts';
import { JOB_KINDS } from './jobs/job-list.ts';
import { installQueue } from './jobs/queue.ts';
import { installLookup } from './pgbouncer/install-lookup.ts';
import { CATALOG_RIGHTS } from './provision/catalog-rights.sql.ts';
import { DDL_GUARD } from './provision/ddl-guard.sql.ts';
import { GATE_SQL } from './provision/executor.sql.ts';
import { loginLimitsSql } from './provision/login-limits.sql.ts';
import { dropStaleMigrationLogins } from './provision/migration-login.ts';
import { renewExecutors, sealedTenants } from './provision/renew-executors.ts';
import { AUTH_HELPERS, createRole, EXTENSIONS, PLACEHOLDER_ROLES } from './provision/shared-database.sql.ts';
import { MIGRATOR_ROLE } from './provision/tenant-names.ts';

export interface BootstrapOptions {
  /** Superuser DSN of the control database, direct. */
  readonly controlDatabaseUrl: Secret;
  readonly masterKey: Secret;
  /** Database of the `shared` tenants, in the same cluster. */
  readonly sharedDatabase?: string | undefined;
  /** With a `configDir`, what PgBouncer looks logins up with is made too. */
  readonly pgbouncer?: Pick<Settings['pgbouncer'], 'configDir'>;
}

/** Key of the advisory lock that keeps two starting processes apart, in either database. */
const BOOTSTRAP_LOCK = 7_305_891_264_401;

/**
 * Brings the control database, the cluster's roles and the shared database to the state this version needs. Safe to run again, and
 * by several processes at once.
 */
export async function bootstrap(options: BootstrapOptions): Promise<void> {
  const { controlDatabaseUrl, masterKey, sharedDatabase = SHARED_DATABASE } = options;
  const sealed = await withClient(
    { url: controlDatabaseUrl, applicationName: 'cascata-bootstrap' },
    async (client) => {
      await client.query('SELECT pg_advisory_lock($1)', [BOOTSTRAP_LOCK]);
      await migrateControlSchema(client);
      await installQueue(
        controlDatabaseUrl,
        JOB_KINDS.map(({ name }) => name),
      );
      await createDatabase(client, sharedDatabase);
      return sealedTenants(client);
    },
  );
  await withClient(
    { url: withDatabase(controlDatabaseUrl, sharedDatabase), applicationName: 'cascata-bootstrap' },
    async (client) => {
      // Roles belong to the cluster: this lock also counts for another control database with the same shared one.
      await client.query('SELECT pg_advisory_lock($1)', [BOOTSTRAP_LOCK]);
      await client.query(PLACEHOLDER_ROLES);
      await changeRoles(client, ourRoles(masterKey));
      await client.query(sharedDatabaseRights(sharedDatabase));
      await client.query(AUTH_HELPERS);
      await client.query(EXTENSIONS);
      await client.query(GATE_SQL);
      await client.query(DDL_GUARD);
      await client.query(CATALOG_RIGHTS);
      await renewExecutors(client, sealed, masterKey);
      await dropStaleMigrationLogins(client);
      if (options.pgbouncer?.configDir !== undefined)
        await installLookup(client, { url: controlDatabaseUrl, masterKey });
    },
  );
  await withClient({ url: controlDatabaseUrl, applicationName: 'cascata-bootstrap' }, async (client) => {
    await client.query('SELECT pg_advisory_lock($1)', [BOOTSTRAP_LOCK]);
    await client.query(await registryRights(client));
  });
}

const ROLE_ATTEMPTS = 10;

/** Two bootstraps on one cluster with shared databases of different names do not see each other's lock and may meet in one row. */
async function changeRoles(client: ClientBase, text: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.query(text);
      return;
    } catch (error) {
      const isRace = error instanceof Error && error.message.includes('concurrently updated');
      if (!isRace || attempt === ROLE_ATTEMPTS) throw error;
      await setTimeout(Math.random() * 50);
    }
  }
}

async function createDatabase(client: ClientBase, name: string): Promise<void> {
  const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
  if (rowCount === 1) return;
  try {
    await client.query(`CREATE DATABASE ${quoteIdent(name)} TEMPLATE template0`);
  } catch (error) {
    // Another control database of the same cluster was faster.
    const state = sqlStateOf(error);
    if (state !== '42P04' && state !== '23505') throw error;
  }
}

function ourRoles(masterKey: Secret): string {
  const logins = Object.values(LOGINS).map((login) => {
    const password = quoteLiteral(loginPassword(masterKey, login).reveal());
    return `${createRole(login, 'LOGIN')}
      ALTER ROLE ${quoteIdent(login)} LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD ${password};`;
  });
  const limits = [LOGINS.trusted, LOGINS.sealed].map(loginLimitsSql);
  return [...logins, ...limits, createRole(MIGRATOR_ROLE, 'NOLOGIN NOINHERIT')].join('\n');
}

function sharedDatabaseRights(database: string): string {
  const name = quoteIdent(database);
  const visitors = [LOGINS.trusted, LOGINS.sealed, MIGRATOR_ROLE].map((role) => quoteIdent(role)).join(', ');
  return `
    REVOKE ALL ON DATABASE ${name} FROM PUBLIC;
    GRANT CONNECT ON DATABASE ${name} TO ${visitors};
    REVOKE ALL ON SCHEMA public FROM PUBLIC;`;
}

async function registryRights(client: ClientBase): Promise<string> {
  const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
  const database = quoteIdent(rows[0]!.name);
  const gateway = quoteIdent(LOGINS.gateway);
  return `
    REVOKE ALL ON DATABASE ${database} FROM PUBLIC;
    GRANT CONNECT ON DATABASE ${database} TO ${gateway};
    REVOKE ALL ON SCHEMA control FROM PUBLIC;
    GRANT USAGE ON SCHEMA control TO ${gateway};
    GRANT SELECT ON control.tenants, control.tenant_hosts, control.api_keys TO ${gateway};`;
}
