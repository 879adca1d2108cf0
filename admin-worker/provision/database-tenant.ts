import type { ClientBase, Pool } from 'pg';
import { loginPassword, tenantLogin } from '../../gateway/platform/derived-logins.ts';
import { quoteIdent, quoteLiteral } from '../../gateway/platform/sql.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import type { TenantNaming } from '../../gateway/registry/tenant.ts';
import { inTransaction, withClient, withDatabase, withPooled } from '../connections.ts';
import { loginLimitsSql } from './login-limits.sql.ts';
import { AUTH_HELPERS, createRole, EXTENSIONS } from './shared-database.sql.ts';
import { NameTakenError } from './shared-tenant.ts';
import { tenantRoles } from './tenant-names.ts';
import { requestRolesText, tenantRolesSql, tenantSchemasSql } from './tenant-objects.sql.ts';

/** A superuser's way to the cluster: a pool on some database of it, and that pool's DSN. */
export interface Cluster {
  readonly pool: Pool;
  readonly url: Secret;
}

export interface DatabaseTenantSpec {
  readonly id: string;
  /** Roles have the tenant's prefix, since they belong to the cluster; schemas have none. */
  readonly naming: TenantNaming;
  readonly logicalSchemas: readonly string[];
  readonly masterKey: Secret;
}

/** Name of the database of a tenant with the placement `database`: an id alone might be the name of somebody else's. */
export function tenantDatabaseName(id: string): string {
  return `cascata_t_${id}`;
}

/** Schemas such a tenant has whether they are exposed or not: `public`, and those it exposes. */
export function databaseSchemas(logicalSchemas: readonly string[]): readonly string[] {
  return [...new Set(['public', ...logicalSchemas])];
}

/**
 * Makes a tenant's roles, its login and a database of its own with what a shared tenant finds too: schemas, `auth`, `extensions`.
 * Whatever fails, nothing that this call made is left. What an interrupted creation left behind is completed.
 *
 * @throws {NameTakenError} when there is a database of that name that holds objects, or a role that is not a plain one
 */
export async function provisionDatabaseTenant(cluster: Cluster, spec: DatabaseTenantSpec): Promise<void> {
  const name = tenantDatabaseName(spec.id);
  const isLeftOver = await withPooled(cluster.pool, async (client) => {
    await refuseTakenRoles(client, spec);
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    return rowCount === 1;
  });
  const inDatabase = { url: withDatabase(cluster.url, name), applicationName: 'cascata-provision' };
  if (isLeftOver) await withClient(inDatabase, (client) => refuseObjects(client, name));
  try {
    await withPooled(cluster.pool, async (client) => {
      await client.query(rolesSql(spec));
      // Not in a transaction, hence the catch below.
      if (!isLeftOver) await client.query(`CREATE DATABASE ${quoteIdent(name)} TEMPLATE template0`);
    });
    await withClient(inDatabase, (client) => client.query(databaseSql(spec)));
  } catch (error) {
    // The first failure is the one to tell; a second one leaves an empty database, which the next attempt completes.
    if (!isLeftOver) await dropDatabaseTenant(cluster, spec).catch(() => undefined);
    throw error;
  }
}

/**
 * The same for a tenant whose rows are to come from elsewhere: what an earlier attempt has brought is dropped.
 *
 * @throws {NameTakenError}
 */
export async function provisionEmptyDatabase(cluster: Cluster, spec: DatabaseTenantSpec): Promise<void> {
  const name = tenantDatabaseName(spec.id);
  const isThere = await withPooled(cluster.pool, async (client) => {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    return rowCount === 1;
  });
  if (isThere) {
    await withClient(
      { url: withDatabase(cluster.url, name), applicationName: 'cascata-provision' },
      async (client) => {
        const { rows } = await client.query<{ name: string }>(
          'SELECT n.nspname AS name FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE r.rolname = $1',
          [tenantRoles(spec.naming).owner],
        );
        const drops = rows.map((row) => `DROP SCHEMA ${quoteIdent(row.name)} CASCADE;`).join('');
        await client.query(`${drops} CREATE SCHEMA IF NOT EXISTS public`);
      },
    );
  }
  await provisionDatabaseTenant(cluster, spec);
}

/** Adds the schemas that a tenant does not have yet. */
export async function addDatabaseSchemas(cluster: Cluster, spec: DatabaseTenantSpec): Promise<void> {
  const url = withDatabase(cluster.url, tenantDatabaseName(spec.id));
  await withClient({ url, applicationName: 'cascata-provision' }, async (client) => {
    const { rows } = await client.query<{ name: string; is_own: boolean }>(
      `SELECT n.nspname AS name, r.rolname = $2 AS is_own
       FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE n.nspname = ANY ($1::text[])`,
      [spec.logicalSchemas, tenantRoles(spec.naming).owner],
    );
    const foreign = rows.find(({ is_own }) => !is_own);
    if (foreign !== undefined)
      throw new NameTakenError(`a schema "${foreign.name}" exists already and belongs to another role`);
    const existing = new Set(rows.map(({ name }) => name));
    const missing = spec.logicalSchemas.filter((logical) => !existing.has(logical));
    if (missing.length > 0) await client.query(tenantSchemasSql(spec.naming, missing));
  });
}

/**
 * Drops a tenant's database, cutting whoever is connected, then its login and roles. Does nothing where there is nothing.
 *
 * @throws {pg.DatabaseError} 55006 while something that cannot be cut uses the database: a replication slot, a prepared transaction
 */
export async function dropDatabaseTenant(
  { pool }: Cluster,
  { id, naming }: Pick<DatabaseTenantSpec, 'id' | 'naming'>,
): Promise<void> {
  await withPooled(pool, async (client) => {
    await client.query(`DROP DATABASE IF EXISTS ${quoteIdent(tenantDatabaseName(id))} WITH (FORCE)`);
  });
  await inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ rolname: string }>(
      'SELECT rolname FROM pg_roles WHERE rolname = ANY ($1::text[])',
      [[tenantLogin(id), ...Object.values(tenantRoles(naming))]],
    );
    if (rows.length > 0)
      await client.query(`DROP ROLE ${rows.map(({ rolname }) => quoteIdent(rolname)).join(', ')}`);
  });
}

function rolesSql({ id, naming, masterKey }: DatabaseTenantSpec): string {
  const roles = tenantRoles(naming);
  const login = tenantLogin(id);
  const password = quoteLiteral(loginPassword(masterKey, login).reveal());
  // NOINHERIT: by itself the login may do nothing but connect and become one of the three.
  return `
    ${tenantRolesSql(roles)}
    ${createRole(login, 'LOGIN')}
    ALTER ROLE ${quoteIdent(login)} LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD ${password};
    ${loginLimitsSql(login)}
    GRANT ${requestRolesText(roles)} TO ${quoteIdent(login)};`;
}

/** Run in the tenant's database, as one statement string: one transaction. */
function databaseSql({ id, naming, logicalSchemas }: DatabaseTenantSpec): string {
  const { owner } = tenantRoles(naming);
  const database = quoteIdent(tenantDatabaseName(id));
  // The owner gets no CREATE on the database: with it come extensions, schemas nobody looks after, and publications.
  return `
    REVOKE ALL ON DATABASE ${database} FROM PUBLIC;
    GRANT CONNECT ON DATABASE ${database} TO ${quoteIdent(tenantLogin(id))}, ${quoteIdent(owner)};
    ALTER SCHEMA public OWNER TO ${quoteIdent(owner)};
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    ${AUTH_HELPERS}
    ${EXTENSIONS}
    ${tenantSchemasSql(naming, databaseSchemas(logicalSchemas))}`;
}

async function refuseTakenRoles(client: ClientBase, { id, naming }: DatabaseTenantSpec): Promise<void> {
  const plain = Object.values(tenantRoles(naming));
  const { rows } = await client.query<{ problem: string }>(TAKEN_ROLES, [plain, tenantLogin(id)]);
  if (rows[0] !== undefined) throw new NameTakenError(rows[0].problem);
}

async function refuseObjects(client: ClientBase, database: string): Promise<void> {
  const { rowCount } = await client.query(FIRST_OBJECT);
  if (rowCount !== 0)
    throw new NameTakenError(`a database "${database}" exists already in the cluster and holds objects`);
}

/** $1 the tenant's roles, $2 its login, which may be a member of these roles and of nothing else. */
const TAKEN_ROLES = `
  SELECT format('a role %I exists already in the cluster and is not a plain role', r.rolname) AS problem
  FROM pg_roles r
  WHERE (r.rolname = ANY ($1::text[]) AND r.rolcanlogin)
    OR (r.rolname = $2 AND r.rolbypassrls)
    OR (r.rolname = ANY ($1::text[] || $2::text)
      AND (r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
        OR EXISTS (
          SELECT FROM pg_auth_members m
          WHERE m.member = r.oid AND pg_get_userbyid(m.roleid) <> ALL ($1::text[]))))
  LIMIT 1`;

/** What PostgreSQL does not bring itself and `databaseSql` does not make. */
const FIRST_OBJECT = `
  SELECT FROM pg_namespace n
  WHERE n.nspname NOT IN ('information_schema', 'auth', 'extensions') AND n.nspname NOT LIKE 'pg\\_%'
    AND (EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid)
      OR EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid)
      OR EXISTS (SELECT FROM pg_type t WHERE t.typnamespace = n.oid))
  LIMIT 1`;
