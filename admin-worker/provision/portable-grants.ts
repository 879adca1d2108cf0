import type { ClientBase } from 'pg';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import { REQUEST_ROLES } from '../../gateway/registry/tenant.ts';
import { CLOSE_SCHEMAS, FOREIGN_ROLES, MOVE_GRANTS, MOVE_POLICIES } from './portable-grants.sql.ts';
import { requestRoles, type TenantRoles } from './tenant-names.ts';

/** Where a tenant with physical names of its own keeps its objects. */
export interface TenantSchemas {
  readonly roles: TenantRoles;
  /** Physical names. */
  readonly schemas: readonly string[];
}

/** A migration left something that names a role of somebody else. */
export class ForeignRoleError extends Error {
  override readonly name = 'ForeignRoleError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.problems = problems;
  }
}

/**
 * Grants of the tenant's own roles become grants of the placeholders (`acme_anon` → `anon`), so that a REVOKE in the migration
 * that follows, which names the placeholders, finds them. `settlePortableGrants` brings them back.
 */
export async function lendGrantsToPlaceholders(client: ClientBase, tenant: TenantSchemas): Promise<void> {
  await secureSession(client, tenant);
  await moveGrants(client, tenant, { from: requestRoles(tenant.roles), to: REQUEST_ROLES });
}

/**
 * Turns every grant and policy of the tenant's objects that names a placeholder into one for the tenant's own role, grants of
 * schemas to PUBLIC into grants to those roles, and then checks that nothing names anybody else's role. Deferred triggers
 * and held cursors run first, as nothing of the tenant's may run after the check.
 *
 * @throws {ForeignRoleError} the transaction is to be rolled back
 */
export async function settlePortableGrants(client: ClientBase, tenant: TenantSchemas): Promise<void> {
  await client.query('SET CONSTRAINTS ALL IMMEDIATE');
  await client.query('CLOSE ALL');
  await secureSession(client, tenant);
  const { roles, schemas } = tenant;
  const ownRoles = requestRoles(tenant.roles);
  await moveGrants(client, tenant, { from: REQUEST_ROLES, to: ownRoles });
  await runAnswer(client, CLOSE_SCHEMAS, [schemas, roles.owner, ownRoles]);
  await runAnswer(client, MOVE_POLICIES, [schemas, REQUEST_ROLES, ownRoles]);
  const problems = await foreignRoles(client, tenant);
  if (problems.length > 0) throw new ForeignRoleError(problems);
}

/**
 * Sentences about objects of the tenant's that name a role of somebody else, or are not its owner's; empty where all is well.
 *
 * @param client whose search path is `pg_catalog`
 */
export async function foreignRoles(
  client: ClientBase,
  { roles, schemas }: TenantSchemas,
): Promise<readonly string[]> {
  const { rows } = await client.query<{ problem: string }>(FOREIGN_ROLES, [
    schemas,
    roles.owner,
    Object.values(roles),
  ]);
  return rows.map(({ problem }) => problem);
}

/** The migration may have changed role, search path and settings of the session. */
async function secureSession(client: ClientBase, { roles }: TenantSchemas): Promise<void> {
  await client.query(
    `RESET ALL; SET LOCAL ROLE ${quoteIdent(roles.owner)}; SET LOCAL search_path = pg_catalog, pg_temp`,
  );
}

async function moveGrants(
  client: ClientBase,
  { roles, schemas }: TenantSchemas,
  { from, to }: { from: readonly string[]; to: readonly string[] },
): Promise<void> {
  await runAnswer(client, MOVE_GRANTS, [schemas, roles.owner, from, to]);
}

/** Runs the statements that a catalog query answers with. They hold quoted names only. */
async function runAnswer(client: ClientBase, text: string, values: readonly unknown[]): Promise<void> {
  const { rows } = await client.query<{ statement: string }>(text, [...values]);
  if (rows.length > 0) await client.query(rows.map(({ statement }) => statement).join(';\n'));
}
