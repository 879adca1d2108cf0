import type { Equivalence } from './catalogue-entry.ts';

/** What people ask for by name and do not get here, with what serves instead. */
export const EQUIVALENCES: readonly Equivalence[] = [
  {
    name: 'pg_net',
    reason:
      'it needs a background worker that is preloaded, and lets SQL reach any host from the database server',
    instead: 'call the service from your own backend, or keep an outbox table that it reads',
  },
  {
    name: 'http',
    reason:
      'it lets SQL reach any host from the database server, and holds a connection for as long as that host takes',
    instead: 'call the service from your own backend, or keep an outbox table that it reads',
  },
  {
    name: 'supabase_vault',
    reason: 'it needs pgsodium, which is preloaded with a key of its own',
    instead: 'pgcrypto, with keys that your backend holds',
  },
  {
    name: 'pgsodium',
    reason: 'it is preloaded with a key of its own',
    instead: 'pgcrypto',
  },
  {
    name: 'pgjwt',
    reason: 'the gateway verifies tokens; keys in SQL can be read by whoever reads SQL',
    instead: 'auth.jwt() reads the claims of the request',
  },
  {
    name: 'pg_graphql',
    reason: 'it is written with pgrx and has no official image that only brings its files',
    instead: 'the REST endpoint embeds related rows in one request',
  },
  {
    name: 'timescaledb',
    reason: 'it has to be preloaded, so it must be part of the core image',
    instead: 'declarative partitioning with BRIN indexes',
  },
  {
    name: 'pgaudit',
    reason: 'it has to be preloaded, so it must be part of the core image',
    instead: 'log_statement by role, or triggers that write an audit table',
  },
  {
    name: 'dblink',
    reason: "it opens connections from inside the server, where other tenants' databases are near",
    instead: 'the API of the other tenant, or schemas of one tenant',
  },
  {
    name: 'postgres_fdw',
    reason: "it opens connections from inside the server, where other tenants' databases are near",
    instead: 'the API of the other tenant, or schemas of one tenant',
  },
  {
    name: 'file_fdw',
    reason: 'it reads files of the database server',
    instead: 'COPY through a client',
  },
  {
    name: 'plpython3u',
    reason: 'an untrusted language does what the server may do',
    instead: 'PL/pgSQL, or your own backend',
  },
  {
    name: 'plperlu',
    reason: 'an untrusted language does what the server may do',
    instead: 'PL/pgSQL, or your own backend',
  },
];
