import { quoteIdent } from '../../gateway/platform/sql.ts';
import { physicalSchema, type TenantNaming } from '../../gateway/registry/tenant.ts';
import { createRole } from './shared-database.sql.ts';
import { requestRoles, type TenantRoles, tenantRoles } from './tenant-names.ts';

/** A tenant's roles, without members. SQL that may run again. */
export function tenantRolesSql(roles: TenantRoles): string {
  return `
    ${createRole(roles.owner, 'NOLOGIN NOINHERIT')}
    ${createRole(roles.anon, 'NOLOGIN NOINHERIT')}
    ${createRole(roles.authenticated, 'NOLOGIN NOINHERIT')}
    ${createRole(roles.serviceRole, 'NOLOGIN NOINHERIT BYPASSRLS')}`;
}

/**
 * A tenant's schemas, its owner's, open to the roles for requests as on Supabase. SQL that may run again and leaves what exists
 * as it is.
 */
export function tenantSchemasSql(naming: TenantNaming, logicalSchemas: readonly string[]): string {
  const roles = tenantRoles(naming);
  const requestRoles = requestRolesText(roles);
  const owner = quoteIdent(roles.owner);
  const schemas = logicalSchemas.map((logical) => {
    const schema = quoteIdent(physicalSchema(naming, logical));
    const defaults = `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} IN SCHEMA ${schema} GRANT ALL ON`;
    return `
      CREATE SCHEMA IF NOT EXISTS ${schema} AUTHORIZATION ${owner};
      GRANT USAGE ON SCHEMA ${schema} TO ${requestRoles};
      ${defaults} TABLES TO ${requestRoles};
      ${defaults} SEQUENCES TO ${requestRoles};
      ${defaults} ROUTINES TO ${requestRoles};`;
  });
  return schemas.join('');
}

/** The roles for requests, quoted, for GRANT and REVOKE. */
export function requestRolesText(roles: TenantRoles): string {
  return requestRoles(roles)
    .map((role) => quoteIdent(role))
    .join(', ');
}
