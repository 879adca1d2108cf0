import type { ClientBase } from 'pg';
import { connectReason } from '../../gateway/platform/connect-reason.ts';
import type { TenantServer } from '../connections.ts';
import { findPostgresTools } from '../postgres-tools/find-tools.ts';
import { deferredCode } from '../provision/deferred-code.ts';
import { namingOf } from '../tenants/tenant-record.ts';
import { asking, isUnreachable } from './asking.ts';
import { type Finding, finding } from './finding.ts';
import { problemsOfHomeSchemas } from './home-place.ts';
import type { Move } from './move.ts';
import { readContents } from './moving-tenant.ts';
import { toolsMissing } from './preflight.ts';
import { FOREIGN_GRANTS, SOURCE_LOGIN, TENANT_EXPRESSIONS } from './preflight-return.sql.ts';
import { inspectSource, type SourceFacts } from './preflight-source.ts';
import { findServerDifferences, readTarget } from './preflight-target.ts';

/** Before this version what a subscription writes is written with the rights of its owner, which is a superuser here. */
const ROWS_AS_OWNER_MAJOR = 16;

interface Return {
  readonly move: Move;
  /** Some database of our cluster that is there for certain. */
  readonly cluster: TenantServer;
  readonly isShared: boolean;
  /** How requests reach the tenant, where `move` reaches it by another connection string: it has to be the same database. */
  readonly current: TenantServer | undefined;
}

/**
 * Tells all that stands in the way of a tenant's return to this installation, or will be different after it. Changes nothing.
 *
 * @throws {Error} when our own cluster cannot be asked; a place that cannot be reached is a finding
 */
export async function preflightReturn({
  move,
  cluster,
  isShared,
  current,
}: Return): Promise<readonly Finding[]> {
  const { major } = await asking(cluster, readTarget);
  let facts: SourceFacts;
  let own: readonly Finding[];
  try {
    [facts, own] = await asking(move.source, async (client) => {
      const contents = await readContents(client, move.roles);
      const found = { contents, ...(await inspectSource(client, { move, contents })) };
      return [found, await inspectReturning(client, { move, isShared, schemas: contents.schemas, major })];
    });
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    return [
      finding('error', 'unreachable', {
        object: 'source',
        text: `The database cannot be used: ${connectReason(error)}`,
        todo: 'remote_connection_string gives a login that works, if the one of the move away does not any more',
      }),
    ];
  }
  const tools = await findPostgresTools(facts.major);
  if (current !== undefined && (await identityOf(current)) !== (await identityOf(move.source))) {
    own = [
      ...own,
      finding('error', 'other_database', {
        object: 'source',
        text: 'remote_connection_string leads to another database than the one that requests go to',
        todo: 'Give the one that the tenant is in',
      }),
    ];
  }
  return [
    ...toolsMissing(tools, facts.major),
    ...facts.findings,
    ...own,
    ...(await asking(cluster, (client) => inspectHome(client, { facts, isShared }))),
  ];
}

/** The same for the same database, whoever asks. */
function identityOf(server: TenantServer): Promise<unknown> {
  return asking(server, async (client) => {
    const { rows } = await client.query(
      'SELECT concat(pg_postmaster_start_time(), oid) AS id FROM pg_database WHERE datname = current_database()',
    );
    return rows[0]?.id;
  });
}

/** What has come to be there that this installation does not take as it is. */
async function inspectReturning(
  client: ClientBase,
  {
    move: { tenant, roles, mode },
    isShared,
    schemas,
    major,
  }: { move: Move; isShared: boolean; schemas: readonly string[]; major: number },
): Promise<readonly Finding[]> {
  const objects = async (text: string, values: unknown[]) =>
    (await client.query<{ object: string; about: string }>(text, values)).rows;
  const { rows } = await client.query<{
    login: string;
    can_publish: boolean;
    can_monitor: boolean;
    can_create: boolean;
    is_owner: boolean;
  }>(SOURCE_LOGIN, [roles.owner]);
  const login = rows[0]!;
  const isOnline = mode === 'online';
  const isSealed = isShared && tenant.isolation === 'sealed';
  return [
    ...(schemas.length > 0 && login.is_owner && login.can_create
      ? []
      : [
          finding('error', 'no_owner', {
            object: 'source',
            text: `${login.login} is not a member of ${roles.owner}, may not create a schema in the database, or finds none of the tenant's`,
            todo: `GRANT "${roles.owner}" TO "${login.login}"; GRANT CREATE ON DATABASE … TO "${login.login}"`,
          }),
        ]),
    ...(!isOnline || login.can_publish
      ? []
      : [
          finding('error', 'publication_rights', {
            object: 'source',
            text: `${login.login} may not make a login that replicates`,
            todo: 'Give a superuser (from PostgreSQL 16 on CREATEROLE, REPLICATION and BYPASSRLS will do), or use mode "offline"',
          }),
        ]),
    ...(!isOnline || login.can_monitor
      ? []
      : [
          finding('error', 'publication_rights', {
            object: 'source',
            text: `${login.login} may not see how far another server has come in following`,
            todo: `GRANT pg_monitor TO "${login.login}", or use mode "offline"`,
          }),
        ]),
    ...problemsOfHomeSchemas(namingOf(tenant), schemas).map(({ schema, problem }) =>
      finding('error', 'schema_name', {
        object: schema,
        text: `The schema ${problem}; here it might be somebody else's`,
        todo: 'Rename it, or have it owned by another role: it stays where it is then',
      }),
    ),
    ...(await objects(FOREIGN_GRANTS, [schemas, Object.values(roles)])).map(({ object, about }) =>
      finding('error', 'foreign_grant', {
        object,
        text: `Names the role ${about}, which is not the tenant's`,
        todo: `Take the right away, or name ${roles.anon}, ${roles.authenticated} or ${roles.serviceRole} instead`,
      }),
    ),
    ...(isSealed ? await deferredCode(client, roles.owner) : []).map((what) =>
      finding('error', 'deferred_code', {
        object: 'source',
        text: `${what} would run at COMMIT, which a sealed tenant's code must not`,
        todo: 'Make it NOT DEFERRABLE',
      }),
    ),
    ...(isOnline && major < ROWS_AS_OWNER_MAJOR
      ? (await objects(TENANT_EXPRESSIONS, [schemas])).map(expressionFinding)
      : []),
  ];
}

function expressionFinding({ object, about }: { object: string; about: string }): Finding {
  return finding('error', 'expression_rights', {
    object,
    text: `Calls ${about} for each row; on PostgreSQL 15 that would run with the rights of this cluster's superuser`,
    todo: 'Use mode "offline", or PostgreSQL 16 or newer for this installation',
  });
}

/** What the copied schema would have a subscription run as a superuser of ours. @param client on the copy */
export async function superuserExpressions(
  client: ClientBase,
  schemas: readonly string[],
): Promise<readonly Finding[]> {
  if ((await readTarget(client)).major >= ROWS_AS_OWNER_MAJOR) return [];
  const { rows } = await client.query<{ object: string; about: string }>(TENANT_EXPRESSIONS, [schemas]);
  return rows.map(expressionFinding);
}

async function inspectHome(
  client: ClientBase,
  { facts, isShared }: { readonly facts: SourceFacts; readonly isShared: boolean },
): Promise<readonly Finding[]> {
  const needed = facts.extensions.filter(({ isNeeded }) => isNeeded).map(({ name }) => name);
  const { rows } = await client.query<{ name: string }>(isShared ? NOT_INSTALLED : NOT_AVAILABLE, [needed]);
  return [
    ...findServerDifferences(await readTarget(client), facts),
    ...rows.map(({ name }) =>
      finding('error', 'extension_missing', {
        object: name,
        text: `The tenant's objects need the extension ${name}, which is not here`,
        todo: isShared
          ? 'Create it in the shared database (docs/extensions.md)'
          : 'Bring it into the cluster (docs/extensions.md)',
      }),
    ),
  ];
}

const NOT_INSTALLED = `
  SELECT name FROM unnest($1::text[]) AS name WHERE NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = name) ORDER BY 1`;
const NOT_AVAILABLE = `
  SELECT name FROM unnest($1::text[]) AS name
  WHERE NOT EXISTS (SELECT FROM pg_available_extension_versions v WHERE v.name = name.name AND v.trusted)
    AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = name.name) ORDER BY 1`;
