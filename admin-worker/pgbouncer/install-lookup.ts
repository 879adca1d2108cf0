import type { ClientBase } from 'pg';
import { loginPassword } from '../../gateway/platform/derived-logins.ts';
import { quoteIdent, quoteLiteral } from '../../gateway/platform/sql.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { withClient, withDatabase } from '../connections.ts';
import { createRole } from '../provision/shared-database.sql.ts';

/** The login PgBouncer looks others up with, and the database it does that in. It may connect to nothing else. */
export const LOOKUP_LOGIN = 'cascata_pgbouncer';
export const LOOKUP_DATABASE = 'cascata_pgbouncer';

/**
 * Makes the login, the database and the function that PgBouncer's `auth_query` calls. Safe to run again; the caller keeps two processes from doing this
 * at once.
 *
 * @param client superuser, connected to any database of the cluster
 * @param url superuser DSN of the same cluster
 */
export async function installLookup(
  client: ClientBase,
  { url, masterKey }: { readonly url: Secret; readonly masterKey: Secret },
): Promise<void> {
  const login = quoteIdent(LOOKUP_LOGIN);
  const database = quoteIdent(LOOKUP_DATABASE);
  const password = quoteLiteral(loginPassword(masterKey, LOOKUP_LOGIN).reveal());
  await client.query(`
    ${createRole(LOOKUP_LOGIN, 'LOGIN')}
    ALTER ROLE ${login} LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
      CONNECTION LIMIT 5 PASSWORD ${password};`);
  const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [LOOKUP_DATABASE]);
  if (rowCount === 0) await client.query(`CREATE DATABASE ${database} TEMPLATE template0`);
  await client.query(
    `REVOKE ALL ON DATABASE ${database} FROM PUBLIC; GRANT CONNECT ON DATABASE ${database} TO ${login};`,
  );
  const inDatabase = { url: withDatabase(url, LOOKUP_DATABASE), applicationName: 'cascata-bootstrap' };
  await withClient(inDatabase, (own) => own.query(LOOKUP));
}

/** Superusers and replication logins are never told: whoever reaches PgBouncer cannot come in as one of them. */
const LOOKUP = `
  REVOKE ALL ON SCHEMA public FROM PUBLIC;
  CREATE SCHEMA IF NOT EXISTS pgbouncer;
  REVOKE ALL ON SCHEMA pgbouncer FROM PUBLIC;
  GRANT USAGE ON SCHEMA pgbouncer TO ${LOOKUP_LOGIN};
  CREATE OR REPLACE FUNCTION pgbouncer.lookup(wanted text)
  RETURNS TABLE (login text, verifier text)
  LANGUAGE sql
  STABLE
  SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  AS $$
    SELECT rolname::text, rolpassword
    FROM pg_authid
    WHERE rolname = wanted
      AND rolcanlogin
      AND NOT rolsuper
      AND NOT rolreplication
      AND NOT rolbypassrls
      AND rolname <> '${LOOKUP_LOGIN}'
      AND (rolvaliduntil IS NULL OR rolvaliduntil > now())
  $$;
  REVOKE ALL ON FUNCTION pgbouncer.lookup(text) FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION pgbouncer.lookup(text) TO ${LOOKUP_LOGIN};`;
