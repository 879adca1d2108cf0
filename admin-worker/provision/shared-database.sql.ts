import { quoteIdent } from '../../gateway/platform/sql.ts';
import { REQUEST_ROLES } from '../../gateway/registry/tenant.ts';

/** Helpers every project's SQL may call, as on Supabase. They read what the gateway sets for each request. */
export const AUTH_HELPERS = `
  CREATE SCHEMA IF NOT EXISTS auth;
  GRANT USAGE ON SCHEMA auth TO PUBLIC;

  CREATE OR REPLACE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT NULLIF(pg_catalog.current_setting('request.jwt.claims', true), '')::pg_catalog.jsonb
  $$;
  CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT NULLIF(pg_catalog.jsonb_extract_path_text(auth.jwt(), 'sub'), '')::pg_catalog.uuid
  $$;
  CREATE OR REPLACE FUNCTION auth.role() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.jsonb_extract_path_text(auth.jwt(), 'role')
  $$;
  CREATE OR REPLACE FUNCTION auth.email() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.jsonb_extract_path_text(auth.jwt(), 'email')
  $$;
  COMMENT ON FUNCTION auth.jwt() IS 'Claims of the request''s token';
  COMMENT ON FUNCTION auth.uid() IS 'User id: the claim sub of the request''s token';
  COMMENT ON FUNCTION auth.role() IS 'Role of the request as the client names it: anon, authenticated, service_role';
  COMMENT ON FUNCTION auth.email() IS 'The claim email of the request''s token';`;

/** Extensions that projects expect, where the server has them. */
export const EXTENSIONS = `
  CREATE SCHEMA IF NOT EXISTS extensions;
  GRANT USAGE ON SCHEMA extensions TO PUBLIC;
  DO $$
  DECLARE
    wanted text;
  BEGIN
    FOR wanted IN
      SELECT a.name FROM pg_catalog.pg_available_extensions a
      WHERE a.name IN ('pgcrypto', 'uuid-ossp') AND a.installed_version IS NULL
    LOOP
      EXECUTE pg_catalog.format('CREATE EXTENSION %I SCHEMA extensions', wanted);
    END LOOP;
  END $$;`;

/** Roles that projects' SQL names in grants and policies. Nobody is a member of them and nothing stays granted to them. */
export const PLACEHOLDER_ROLES: string = REQUEST_ROLES.map((role) =>
  createRole(role, 'NOLOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE'),
).join('\n');

/** `CREATE ROLE` that may run again, and in two sessions at once. */
export function createRole(name: string, options: string): string {
  return `DO $$ BEGIN
    CREATE ROLE ${quoteIdent(name)} ${options};
  EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
  END $$;`;
}
