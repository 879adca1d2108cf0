import type { ClientBase } from 'pg';
import { type Finding, finding } from './finding.ts';
import type { Move } from './move.ts';
import type { SourceFacts } from './preflight-source.ts';
import { findTakenNames } from './taken-names.ts';

interface Target {
  readonly major: number;
  readonly system: string | null;
  readonly database: string;
  readonly encoding: string;
  readonly collation: string;
  readonly is_replica: boolean;
  readonly login: string;
  readonly is_super: boolean;
  readonly can_create_roles: boolean;
  readonly can_bypass: boolean;
  readonly can_create: boolean;
  readonly can_subscribe: boolean;
  readonly free_connections: number;
}

/** Connections that a gateway may want for one tenant, with the move's own. */
const WANTED_CONNECTIONS = 15;

/** What the new place allows, and what is there already. */
export async function inspectTarget(
  client: ClientBase,
  { move, facts }: { readonly move: Move; readonly facts: SourceFacts },
): Promise<readonly Finding[]> {
  const target = await readTarget(client);
  const findings: Finding[] = [...findServerDifferences(target, facts)];
  if (findings.some(({ code }) => code === 'same_database' || code === 'read_only')) return findings;
  const add: Add = (severity, code, about) =>
    void findings.push(finding(severity, code, { object: 'target', ...about }));
  if (!target.can_create) {
    add('error', 'no_create', {
      text: `${target.login} may not create schemas in ${target.database}`,
      todo: `GRANT CREATE ON DATABASE "${target.database}" TO "${target.login}"`,
    });
  }
  if (!target.can_create_roles) {
    add('error', 'no_createrole', {
      text: `${target.login} may not create roles`,
      todo: `ALTER ROLE "${target.login}" CREATEROLE`,
    });
  } else if (!target.can_bypass) {
    add('error', 'no_bypassrls', {
      object: move.roles.serviceRole,
      text: `${target.login} may not make a role that row-level security leaves alone, as service_role is`,
      todo: 'Give a superuser; from PostgreSQL 16 on a login with CREATEROLE and BYPASSRLS will do',
    });
  }
  await findClashes(client, { move, facts, add });
  await findExtensions(client, { facts, add });
  if (target.free_connections < WANTED_CONNECTIONS) {
    add('warning', 'connections', {
      text: `The server has room for ${target.free_connections} more connections; a gateway opens up to ten for a tenant of its own`,
      todo: 'Raise max_connections, or lower pools.leasedPoolSize',
    });
  }
  if (move.mode === 'online' && !target.can_subscribe) {
    add('error', 'subscription_rights', {
      text: `${target.login} may not create subscriptions`,
      todo:
        target.major < 16
          ? 'Give a superuser, or use mode "offline"'
          : `GRANT pg_create_subscription TO "${target.login}", or use mode "offline"`,
    });
  }
  return findings;
}

/** @param client on the server that a tenant is to move to */
export async function readTarget(client: ClientBase): Promise<Target> {
  return (await client.query<Target>(TARGET)).rows[0]!;
}

/** What does not depend on which way a tenant moves. */
export function findServerDifferences(target: Target, facts: SourceFacts): readonly Finding[] {
  const findings: Finding[] = [];
  const add: Add = (severity, code, about) =>
    void findings.push(finding(severity, code, { object: 'target', ...about }));
  if (
    target.system !== null &&
    target.system === facts.systemIdentifier &&
    target.database === facts.database
  ) {
    add('error', 'same_database', {
      text: 'This is the database that the tenant is in',
      todo: 'Give another one',
    });
    return findings;
  }
  if (target.is_replica) {
    add('error', 'read_only', {
      text: 'The server is a standby: nothing can be written to it',
      todo: 'Give its primary',
    });
    return findings;
  }
  if (target.major < facts.major) {
    add('error', 'version_older', {
      text: `The server is PostgreSQL ${target.major}, the tenant comes from ${facts.major}`,
      todo: `Use PostgreSQL ${facts.major} or newer`,
    });
  }
  if (target.encoding !== facts.encoding) {
    add('error', 'encoding', {
      text: `The database is in ${target.encoding}, the tenant's in ${facts.encoding}`,
      todo: `CREATE DATABASE … ENCODING '${facts.encoding}' TEMPLATE template0`,
    });
  }
  if (target.collation !== facts.collation) {
    add('warning', 'collation', {
      text: `The database sorts texts by ${target.collation}, the tenant's by ${facts.collation}: the order of rows may change`,
      todo: `CREATE DATABASE … LOCALE '${facts.collation}' TEMPLATE template0`,
    });
  }
  return findings;
}

type Add = (
  severity: Finding['severity'],
  code: Finding['code'],
  about: { readonly object?: string; readonly text: string; readonly todo?: string },
) => void;

async function findClashes(
  client: ClientBase,
  { move, facts, add }: { readonly move: Move; readonly facts: SourceFacts; readonly add: Add },
): Promise<void> {
  const taken = await findTakenNames(client, move, facts.contents.schemas);
  for (const name of taken.roles) {
    add('error', 'role_exists', {
      object: name,
      text: `A role ${name} exists already on the server`,
      todo: `Drop it (DROP OWNED BY "${name}"; DROP ROLE "${name}"), or use another server`,
    });
  }
  for (const name of taken.schemas) {
    add('error', 'schema_exists', {
      object: name,
      text:
        name === 'public'
          ? 'The schema public holds objects already, or is another tenant’s'
          : `A schema ${name} exists already`,
      todo: 'Use an empty database, or drop it',
    });
  }
}

async function findExtensions(
  client: ClientBase,
  { facts, add }: { readonly facts: SourceFacts; readonly add: Add },
): Promise<void> {
  const { rows } = await client.query<{ name: string; version: string | null }>(
    'SELECT name, COALESCE(installed_version, default_version) AS version FROM pg_available_extensions WHERE name = ANY ($1::text[])',
    [facts.extensions.map(({ name }) => name)],
  );
  const available = new Map(rows.map(({ name, version }) => [name, version]));
  for (const { name, version, isNeeded } of facts.extensions) {
    const there = available.get(name);
    if (there === undefined) {
      add(isNeeded ? 'error' : 'warning', 'extension_missing', {
        object: name,
        text: isNeeded
          ? `The extension ${name} is not available on the server, and the tenant's objects need it`
          : `The extension ${name} is not available on the server; only texts of functions could need it`,
        todo: 'Install its package on the server',
      });
    } else if (there !== version) {
      add('info', 'extension_version', {
        object: name,
        text: `The server has ${name} ${there}, the tenant comes from ${version}`,
      });
    }
  }
}

/** From PostgreSQL 16 on a login may give what it has itself; before, only a superuser may give BYPASSRLS. */
const TARGET = `
  SELECT current_setting('server_version_num')::int / 10000 AS major,
    CASE WHEN r.rolsuper OR pg_has_role(r.oid, 'pg_read_all_settings', 'USAGE') THEN (SELECT system_identifier::text FROM pg_control_system()) END AS system,
    d.datname AS database, pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collation,
    pg_is_in_recovery() AS is_replica, r.rolname AS login, r.rolsuper AS is_super,
    r.rolsuper OR r.rolcreaterole AS can_create_roles,
    r.rolsuper OR (r.rolcreaterole AND r.rolbypassrls AND current_setting('server_version_num')::int >= 160000) AS can_bypass,
    has_database_privilege(d.oid, 'CREATE') AS can_create,
    r.rolsuper OR EXISTS (
      SELECT FROM pg_roles s WHERE s.rolname = 'pg_create_subscription' AND pg_has_role(r.oid, s.oid, 'USAGE')) AS can_subscribe,
    current_setting('max_connections')::int - (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS free_connections
  FROM pg_database d, pg_roles r
  WHERE d.datname = current_database() AND r.rolname = current_user`;

/** `public` is in every new database. */
