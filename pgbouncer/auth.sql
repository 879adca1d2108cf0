-- Run once per cluster by a superuser: roles belong to all of it. Needs the psql variable `password`.
-- A lookup database of its own: PgBouncer's login can connect to nothing else, and a tenant cannot connect to it.

SELECT 'CREATE ROLE cascata_pgbouncer' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'cascata_pgbouncer') \gexec
ALTER ROLE cascata_pgbouncer LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
  CONNECTION LIMIT 5 PASSWORD :'password';

SELECT 'CREATE DATABASE cascata_pgbouncer TEMPLATE template0'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'cascata_pgbouncer') \gexec
REVOKE ALL ON DATABASE cascata_pgbouncer FROM PUBLIC;
GRANT CONNECT ON DATABASE cascata_pgbouncer TO cascata_pgbouncer;

\connect cascata_pgbouncer

REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA IF NOT EXISTS pgbouncer;
REVOKE ALL ON SCHEMA pgbouncer FROM PUBLIC;
GRANT USAGE ON SCHEMA pgbouncer TO cascata_pgbouncer;

-- Superusers and replication logins are never told: whoever reaches PgBouncer cannot come in as one of them.
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
    AND rolname <> 'cascata_pgbouncer'
    AND (rolvaliduntil IS NULL OR rolvaliduntil > now())
$$;
REVOKE ALL ON FUNCTION pgbouncer.lookup(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pgbouncer.lookup(text) TO cascata_pgbouncer;
