import type { ClientBase } from 'pg';
import { loginPassword, tenantLogin } from '../../gateway/platform/derived-logins.ts';
import { quoteIdent, quoteLiteral } from '../../gateway/platform/sql.ts';
import { Secret } from '../../gateway/registry/secrets.ts';
import type { TenantServer } from '../connections.ts';
import { AUTH_HELPERS, createRole } from '../provision/shared-database.sql.ts';
import { requestRolesText, tenantRolesSql } from '../provision/tenant-objects.sql.ts';
import { asLogin, type Move } from './move.ts';
import type { ExtensionInUse } from './preflight-source.ts';

/** The login that runs as the tenant's owner at the new place: the copy, and migrations afterwards. */
export function migratorLogin(tenantId: string): string {
  return `${tenantId}_migrator`;
}

/** Ways to the new place as the logins that the move makes there. */
export interface TargetLogins {
  /** Of requests: becomes the tenant's three roles and nothing else. */
  readonly requests: TenantServer;
  readonly migrator: TenantServer;
}

/** Passwords follow from the master key and the job, so a step that is run again knows them. */
export function targetLogins(
  { tenant, target }: Pick<Move, 'tenant' | 'target'>,
  { masterKey, jobId }: { readonly masterKey: Secret; readonly jobId: string },
): TargetLogins {
  const as = (login: string) => asLogin(target, login, loginPassword(masterKey, `${login}/${jobId}`));
  return { requests: as(tenantLogin(tenant.id)), migrator: as(migratorLogin(tenant.id)) };
}

/** The same server's replica for the login of requests: whoever was given for the move has more rights than requests may have. */
export function atReplica(replica: Secret, requests: TenantServer): Secret {
  const { username, password } = new URL(requests.url.reveal());
  const login = decodeURIComponent(username);
  return asLogin({ url: replica }, login, new Secret(decodeURIComponent(password))).url;
}

/** What the tenant finds at the new place before its own objects come. */
export interface PlaceSpec {
  readonly move: Move;
  readonly schemas: readonly string[];
  readonly extensions: readonly ExtensionInUse[];
  readonly logins: TargetLogins;
}

/**
 * Makes roles, logins, the tenant's empty schemas, `auth` and extensions. Preflight has seen that none of the roles and schemas was there, so what is there now is of
 * an earlier run of the job and is made anew.
 *
 * @param client the login that was given, not in a transaction
 */
export async function makeTargetPlace(client: ClientBase, spec: PlaceSpec): Promise<void> {
  const { move, schemas, extensions, logins } = spec;
  const { roles, tenant } = move;
  const database = quoteIdent((await client.query('SELECT current_database() AS name')).rows[0].name);
  const request = quoteIdent(tenantLogin(tenant.id));
  const migrator = quoteIdent(migratorLogin(tenant.id));
  const owner = quoteIdent(roles.owner);
  // NOINHERIT: by itself the login of requests may do nothing but connect and become one of the three.
  await client.query(`
    ${tenantRolesSql(roles)}
    ${createRole(tenantLogin(tenant.id), 'LOGIN NOINHERIT')}
    ALTER ROLE ${request} PASSWORD ${passwordOf(logins.requests)};
    GRANT ${requestRolesText(roles)} TO ${request};
    ${createRole(migratorLogin(tenant.id), 'LOGIN INHERIT')}
    ALTER ROLE ${migrator} PASSWORD ${passwordOf(logins.migrator)};
    GRANT ${owner} TO ${migrator};
    GRANT CONNECT, TEMPORARY ON DATABASE ${database} TO ${migrator};
    GRANT CONNECT ON DATABASE ${database} TO ${request};`);
  if (!(await isSuperuser(client))) await client.query(`GRANT ${owner} TO CURRENT_USER`);
  await client.query(schemas.map((schema) => emptySchemaSql(schema, roles.owner)).join(''));
  if (!(await hasSchema(client, 'auth'))) await client.query(AUTH_HELPERS);
  await makeExtensions(client, extensions);
}

/** Takes all of it back, and the tenant's objects with it. `auth` and extensions stay: others may use them by now, and they hold nothing. */
export async function dropTargetPlace(
  client: ClientBase,
  { move: { roles, tenant }, schemas }: Pick<PlaceSpec, 'move' | 'schemas'>,
): Promise<void> {
  await client.query(
    schemas
      .map(
        (schema) =>
          `DROP SCHEMA IF EXISTS ${quoteIdent(schema)} CASCADE;${schema === 'public' ? EMPTY_PUBLIC : ''}`,
      )
      .join(''),
  );
  const { rows } = await client.query<{ name: string }>(
    'SELECT rolname AS name FROM pg_roles WHERE rolname = ANY ($1::text[])',
    [[tenantLogin(tenant.id), migratorLogin(tenant.id), ...Object.values(roles)]],
  );
  if (rows.length === 0) return;
  await client.query(
    'SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE usename = ANY ($1::text[]) AND pid <> pg_backend_pid()',
    [[tenantLogin(tenant.id), migratorLogin(tenant.id)]],
  );
  const names = rows.map(({ name }) => quoteIdent(name));
  // DROP OWNED asks for membership, which whoever may create roles can give to itself. One after the other: all in one fails on default privileges.
  const join = (await isSuperuser(client)) ? '' : `GRANT ${names.join(', ')} TO CURRENT_USER;`;
  const dropOwned = names.map((name) => `DROP OWNED BY ${name} CASCADE;`).join('');
  await client.query(`${join} ${dropOwned} DROP ROLE ${names.join(', ')}`);
}

const EMPTY_PUBLIC = 'CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC;';

/** A schema that is made anew holds nothing of an earlier run. `public` came with the database and was empty. */
export function emptySchemaSql(schema: string, owner: string): string {
  const name = quoteIdent(schema);
  return `DROP SCHEMA IF EXISTS ${name} CASCADE; CREATE SCHEMA ${name} AUTHORIZATION ${quoteIdent(owner)};`;
}

async function makeExtensions(client: ClientBase, extensions: readonly ExtensionInUse[]): Promise<void> {
  await client.query('CREATE SCHEMA IF NOT EXISTS extensions; GRANT USAGE ON SCHEMA extensions TO PUBLIC');
  const { rows } = await client.query<{ name: string }>(
    `SELECT name FROM pg_available_extensions WHERE installed_version IS NULL AND name = ANY ($1::text[])`,
    [extensions.map(({ name }) => name)],
  );
  for (const { name, schema } of extensions.filter((extension) =>
    rows.some((row) => row.name === extension.name),
  )) {
    const place = (await hasSchema(client, schema)) ? `SCHEMA ${quoteIdent(schema)}` : '';
    await client.query(
      `SET LOCAL search_path = extensions; CREATE EXTENSION IF NOT EXISTS ${quoteIdent(name)} ${place} CASCADE`,
    );
  }
}

async function hasSchema(client: ClientBase, name: string): Promise<boolean> {
  const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [name]);
  return rowCount === 1;
}

async function isSuperuser(client: ClientBase): Promise<boolean> {
  const { rows } = await client.query('SELECT rolsuper AS yes FROM pg_roles WHERE rolname = current_user');
  return rows[0]?.yes === true;
}

function passwordOf({ url }: TenantServer): string {
  return quoteLiteral(decodeURIComponent(new URL(url.reveal()).password));
}
