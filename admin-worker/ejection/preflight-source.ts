import type { ClientBase } from 'pg';
import { type Finding, finding } from './finding.ts';
import type { Move } from './move.ts';
import type { TenantContents, TenantObject } from './moving-tenant.ts';
import { ALWAYS_TRIGGERS, EXTENSIONS_IN_USE, FOREIGN_OWNERS, OUTSIDE_REFERENCES } from './preflight.sql.ts';

export interface SourceFacts {
  readonly contents: TenantContents;
  /** 15, 17. */
  readonly major: number;
  readonly encoding: string;
  readonly collation: string;
  /** `null` where the login may not ask. */
  readonly systemIdentifier: string | null;
  readonly database: string;
  readonly extensions: readonly ExtensionInUse[];
  readonly findings: readonly Finding[];
}

export interface ExtensionInUse {
  readonly name: string;
  readonly version: string;
  readonly schema: string;
  /** Whether something of the tenant's depends on it; texts of functions do not count, they are not known to the catalog. */
  readonly isNeeded: boolean;
}

/** For following, and for knowing which rows change. First copies of tables take what is left. */
const NEEDED_SLOTS = 2;

interface Server {
  readonly major: number;
  readonly encoding: string;
  readonly collation: string;
  readonly system: string | null;
  readonly database: string;
  readonly wal_level: string;
  readonly free_slots: number;
}

/** What a tenant has that not every way of moving can carry. */
export async function inspectSource(
  client: ClientBase,
  { move, contents }: { readonly move: Move; readonly contents: TenantContents },
): Promise<Omit<SourceFacts, 'contents'>> {
  const { schemas } = contents;
  const { roles, mode } = move;
  const own = Object.values(roles);
  const server = (await client.query<Server>(SERVER)).rows[0]!;
  const extensions = await client.query<{
    name: string;
    version: string;
    schema: string;
    is_needed: boolean;
  }>(EXTENSIONS_IN_USE, [schemas]);
  const objects = async (text: string, values: unknown[]) =>
    (await client.query<{ object: string; about: string }>(text, values)).rows;
  const largeObjects = await objects(LARGE_OBJECTS, [own]);
  const foreignTables = await objects(FOREIGN_TABLES, [schemas]);
  const owners = await objects(FOREIGN_OWNERS, [schemas, roles.owner]);
  const outside = await objects(OUTSIDE_REFERENCES, [schemas]);
  const forced = await objects(FORCED_RLS, [schemas]);
  const findings = [
    ...(largeObjects.length === 0
      ? []
      : [
          finding('error', 'large_objects', {
            object: 'source',
            text: `${largeObjects[0]!.about} large objects belong to the tenant's roles; they are in no schema and are not moved`,
            todo: 'Turn them into bytea columns, or delete them (lo_unlink)',
          }),
        ]),
    ...foreignTables.map(({ object, about }) =>
      finding('error', 'foreign_table', {
        object,
        text: `A foreign table of the server ${about}, which belongs to no schema`,
        todo: 'Drop it before the move, and make server and table again afterwards',
      }),
    ),
    ...outside.map(({ object, about }) =>
      finding('error', 'outside_reference', {
        object,
        text: `Depends on ${about}, which is not the tenant's and is not moved`,
        todo: 'Drop the dependency, or move what it depends on into a schema of the tenant',
      }),
    ),
    ...owners.map(({ object, about }) =>
      finding('warning', 'foreign_owner', {
        object,
        text: `Belongs to ${about}; at the new place it will belong to ${roles.owner}`,
      }),
    ),
    ...(mode === 'offline' ? [] : inspectForReplication(server, contents)),
    ...(mode === 'offline'
      ? []
      : (await objects(ALWAYS_TRIGGERS, [schemas])).map(({ object, about }) =>
          finding('warning', 'always_trigger', {
            object,
            text: `The trigger ${about} is ENABLE ALWAYS or REPLICA: it fires for copied changes too, a second time`,
            todo: 'Use mode "offline", or make sure that firing twice does no harm',
          }),
        )),
    ...(mode === 'offline' ? [] : forced).map(({ object }) =>
      finding('error', 'forced_rls', {
        object,
        text: 'FORCE ROW LEVEL SECURITY keeps the subscription from writing to it',
        todo: 'Use mode "offline", or lift it for the time of the move (NO FORCE ROW LEVEL SECURITY)',
      }),
    ),
    ...contents.materializedViews.map((view) =>
      finding('info', 'materialized_view', {
        object: nameOf(view),
        text: 'Its contents are not copied; it is refreshed at the new place',
      }),
    ),
    finding('info', 'free_space', {
      object: 'target',
      text: `The tenant's tables take ${megabytes(contents.tables.reduce((sum, { bytes }) => sum + bytes, 0))} MB; free space cannot be asked for over SQL`,
      todo: 'Have twice as much free at the new place, and as much for the dump in the temporary folder of the admin worker (offline)',
    }),
  ];
  return {
    major: server.major,
    encoding: server.encoding,
    collation: server.collation,
    systemIdentifier: server.system,
    database: server.database,
    extensions: extensions.rows.map(({ is_needed, ...extension }) => ({ ...extension, isNeeded: is_needed })),
    findings,
  };
}

function inspectForReplication(
  { wal_level, free_slots }: Server,
  { tables }: TenantContents,
): readonly Finding[] {
  return [
    ...(wal_level === 'logical'
      ? []
      : [
          finding('error', 'wal_level', {
            object: 'source',
            text: `wal_level is ${wal_level}; changes can be followed with "logical" only`,
            todo: 'ALTER SYSTEM SET wal_level = logical and restart PostgreSQL, or use mode "offline"',
          }),
        ]),
    ...(free_slots >= NEEDED_SLOTS
      ? []
      : [
          finding('error', 'replication_slots', {
            object: 'source',
            text: `${free_slots} replication slots are free, ${NEEDED_SLOTS} are needed`,
            todo: 'Raise max_replication_slots and max_wal_senders, or drop slots that nobody uses',
          }),
        ]),
    ...tables
      .filter(({ isUnlogged }) => isUnlogged)
      .map((table) =>
        finding('error', 'unlogged_table', {
          object: nameOf(table),
          text: 'Changes of an unlogged table cannot be followed',
          todo: 'ALTER TABLE … SET LOGGED, or use mode "offline"',
        }),
      ),
    ...tables
      .filter(
        ({ hasReplicaIdentity, isPartitioned, isUnlogged }) =>
          !(hasReplicaIdentity || isPartitioned || isUnlogged),
      )
      .map((table) =>
        finding('error', 'replica_identity', {
          object: nameOf(table),
          text: 'Has no primary key and no replica identity: while it is followed, every UPDATE and DELETE on it would fail',
          todo: 'Add a primary key, or ALTER TABLE … REPLICA IDENTITY FULL, or use mode "offline"',
        }),
      ),
  ];
}

const nameOf = ({ schema, name }: TenantObject): string => `${schema}.${name}`;
const megabytes = (bytes: number): string => (bytes / 1_000_000).toFixed(1);

const SERVER = `
  SELECT current_setting('server_version_num')::int / 10000 AS major, pg_encoding_to_char(d.encoding) AS encoding,
    d.datcollate AS collation,
    CASE WHEN pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') THEN (SELECT system_identifier::text FROM pg_control_system()) END AS system, d.datname AS database,
    current_setting('wal_level') AS wal_level,
    current_setting('max_replication_slots')::int - (SELECT count(*)::int FROM pg_replication_slots) AS free_slots
  FROM pg_database d WHERE d.datname = current_database()`;

const LARGE_OBJECTS = `
  SELECT '' AS object, count(*)::text AS about FROM pg_largeobject_metadata
  WHERE pg_get_userbyid(lomowner) = ANY ($1::text[]) HAVING count(*) > 0`;

const FOREIGN_TABLES = `
  SELECT format('%I.%I', n.nspname, c.relname) AS object, s.srvname AS about
  FROM pg_foreign_table f JOIN pg_class c ON c.oid = f.ftrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_foreign_server s ON s.oid = f.ftserver
  WHERE n.nspname = ANY ($1::text[])`;

const FORCED_RLS = `
  SELECT format('%I.%I', n.nspname, c.relname) AS object, '' AS about
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY ($1::text[]) AND c.relforcerowsecurity`;
