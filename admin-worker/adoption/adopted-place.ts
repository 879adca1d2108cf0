import type { ClientBase } from 'pg';
import { tenantLogin } from '../../gateway/platform/derived-logins.ts';
import { quoteIdent, quoteLiteral } from '../../gateway/platform/sql.ts';
import type { TenantServer } from '../connections.ts';
import { createRole } from '../provision/shared-database.sql.ts';

/** What is made in a database that was there before. */
export interface AdoptedPlace {
  readonly tenantId: string;
  readonly roles: readonly string[];
  /** Those of them that were not there. */
  readonly missing: readonly string[];
  readonly schemas: readonly string[];
  /** The login of requests, with its password. */
  readonly login: TenantServer;
}

/** Makes the roles that are missing and a login that can become these roles and nothing else. It may run again. @param client the login that was given */
export async function makeAdoptedPlace(client: ClientBase, place: AdoptedPlace): Promise<void> {
  const { tenantId, roles, missing, schemas, login } = place;
  const name = quoteIdent(tenantLogin(tenantId));
  const list = (names: readonly string[]) => names.map((each) => quoteIdent(each)).join(', ');
  const password = quoteLiteral(decodeURIComponent(new URL(login.url.reveal()).password));
  const database = quoteIdent((await client.query('SELECT current_database() AS name')).rows[0].name);
  await client.query(`
    ${missing.map((role) => createRole(role, 'NOLOGIN NOINHERIT')).join('')}
    ${missing.length === 0 ? '' : `GRANT USAGE ON SCHEMA ${list(schemas)} TO ${list(missing)};`}
    ${createRole(tenantLogin(tenantId), 'LOGIN NOINHERIT')}
    ALTER ROLE ${name} PASSWORD ${password};
    GRANT ${list(roles)} TO ${name};
    GRANT CONNECT ON DATABASE ${database} TO ${name};`);
}

/** Takes that back. Does nothing where there is nothing. */
export async function dropAdoptedPlace(
  client: ClientBase,
  { tenantId, missing }: Pick<AdoptedPlace, 'tenantId' | 'missing'>,
): Promise<void> {
  const login = tenantLogin(tenantId);
  const { rows } = await client.query<{ name: string }>(
    'SELECT rolname AS name FROM pg_roles WHERE rolname = ANY ($1::text[])',
    [[login, ...missing]],
  );
  if (rows.length === 0) return;
  await client.query(
    'SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE usename = $1 AND pid <> pg_backend_pid()',
    [login],
  );
  const names = rows.map(({ name }) => quoteIdent(name)).join(', ');
  // DROP OWNED asks for membership, which whoever made the roles can give to itself.
  await client.query(`GRANT ${names} TO CURRENT_USER; DROP OWNED BY ${names}; DROP ROLE ${names}`);
}

/** @throws {pg.DatabaseError} when the login cannot be one of the roles */
export async function tryRoles(client: ClientBase, roles: readonly string[]): Promise<void> {
  for (const role of roles)
    await client.query(`BEGIN; SET LOCAL ROLE ${quoteIdent(role)}; SELECT 1; ROLLBACK`);
}
