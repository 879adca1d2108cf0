import type { ClientBase } from 'pg';
import { LOGINS } from '../../gateway/platform/derived-logins.ts';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { type Isolation, physicalSchema, type TenantNaming } from '../../gateway/registry/tenant.ts';
import { dropExecutorsSql, executorsSql } from './executor.sql.ts';
import { requestRoles, tenantRoles } from './tenant-names.ts';
import { requestRolesText, tenantRolesSql, tenantSchemasSql } from './tenant-objects.sql.ts';

export interface SharedTenantSpec {
  readonly naming: TenantNaming;
  /** Logical names; the physical schemas are made from them. */
  readonly logicalSchemas: readonly string[];
  readonly isolation: Isolation;
  /** Tokens of executors follow from it. */
  readonly masterKey: Secret;
}

/** Something of the tenant's names is in the database already and is not ours to take over. */
export class NameTakenError extends Error {
  override readonly name = 'NameTakenError';
}

/**
 * SQL that makes a tenant's roles and schemas, or completes them; run in one transaction. Nothing that exists is changed, so
 * it also serves a tenant that gets another schema.
 */
export function provisioningSql({ naming, logicalSchemas, isolation, masterKey }: SharedTenantSpec): string {
  return `
    ${tenantRolesSql(tenantRoles(naming))}
    ${admissionSql(isolation, { naming, masterKey })}
    ${tenantSchemasSql(naming, logicalSchemas)}`;
}

/** SQL that lets requests in by the way of an isolation. It may run again. */
export function admissionSql(
  isolation: Isolation,
  { naming, masterKey }: Pick<SharedTenantSpec, 'naming' | 'masterKey'>,
): string {
  const roles = tenantRoles(naming);
  if (isolation === 'trusted') return `GRANT ${requestRolesText(roles)} TO ${quoteIdent(LOGINS.trusted)};`;
  return requestRoles(roles)
    .map((role) => executorsSql(role, masterKey))
    .join('\n');
}

/** SQL that closes the way of an isolation. It may run again. */
export function dismissalSql(isolation: Isolation, naming: TenantNaming): string {
  const roles = tenantRoles(naming);
  if (isolation === 'trusted') return `REVOKE ${requestRolesText(roles)} FROM ${quoteIdent(LOGINS.trusted)};`;
  return requestRoles(roles).map(dropExecutorsSql).join('\n');
}

/**
 * Makes a tenant's schemas and roles in the shared database, in the caller's transaction.
 *
 * @param client superuser connection to the shared database
 * @throws {NameTakenError} when a schema of that name holds objects, or a role of that name can log in
 */
export async function provisionSharedTenant(client: ClientBase, spec: SharedTenantSpec): Promise<void> {
  const roles = tenantRoles(spec.naming);
  const { rows } = await client.query<{ problem: string }>(TAKEN_NAMES, [
    spec.logicalSchemas.map((logical) => physicalSchema(spec.naming, logical)),
    Object.values(roles),
    roles.owner,
  ]);
  if (rows[0] !== undefined) throw new NameTakenError(rows[0].problem);
  await client.query(provisioningSql(spec));
}

/** Adds the schemas that a tenant does not have yet, in the caller's transaction. */
export async function addSharedSchemas(client: ClientBase, spec: SharedTenantSpec): Promise<void> {
  const { rows } = await client.query<{ nspname: string }>(
    'SELECT n.nspname FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE r.rolname = $1',
    [tenantRoles(spec.naming).owner],
  );
  const existing = new Set(rows.map(({ nspname }) => nspname));
  const missing = spec.logicalSchemas.filter(
    (logical) => !existing.has(physicalSchema(spec.naming, logical)),
  );
  if (missing.length > 0) await provisionSharedTenant(client, { ...spec, logicalSchemas: missing });
}

/**
 * Drops all that a shared tenant has: its schemas with everything in them, then its roles. Does nothing where there is nothing.
 *
 * @param client superuser connection to the shared database, not in a transaction
 */
export async function dropSharedTenant(client: ClientBase, naming: TenantNaming): Promise<void> {
  const roles = tenantRoles(naming);
  const rank = (name: string) => (name === roles.owner ? 0 : 1);
  const { rows } = await client.query<{ rolname: string }>(
    'SELECT rolname FROM pg_roles WHERE rolname = ANY ($1::text[])',
    [Object.values(roles)],
  );
  if (rows.length === 0) return;
  // The owner first: with its default privileges gone, little is left for the others. All in one DROP OWNED fails on those.
  const names = rows.map(({ rolname }) => rolname).toSorted((a, b) => rank(a) - rank(b));
  const dropOwned = names.map((name) => `DROP OWNED BY ${quoteIdent(name)} CASCADE;`).join('\n');
  // One statement string is one transaction: either all is gone or nothing. A long query of the tenant's must not hold this up for ever.
  await client.query(`
    SET LOCAL lock_timeout = '${DROP_LOCK_TIMEOUT_MS}ms';
    ${dropOwned}
    DROP ROLE ${names.map((name) => quoteIdent(name)).join(', ')};`);
}

const DROP_LOCK_TIMEOUT_MS = 10_000;

/** $1 schemas, $2 roles, $3 owner. A schema of that owner without objects is what an interrupted creation leaves. */
const TAKEN_NAMES = `
  SELECT format('a schema %I exists already in the database and holds objects or belongs to another role', n.nspname) AS problem
  FROM pg_namespace n
  LEFT JOIN pg_roles r ON r.oid = n.nspowner AND r.rolname = $3
  WHERE n.nspname = ANY ($1::text[])
    AND (r.oid IS NULL
      OR EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid)
      OR EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid)
      OR EXISTS (SELECT FROM pg_type t WHERE t.typnamespace = n.oid))
  UNION ALL
  SELECT format('a role %I exists already in the cluster and is not a plain role', r.rolname)
  FROM pg_roles r
  WHERE r.rolname = ANY ($2::text[]) AND (r.rolcanlogin OR r.rolsuper OR r.rolcreaterole OR r.rolcreatedb)
  LIMIT 1`;
