import type { ClientBase } from 'pg';
import { GATE_SCHEMA } from '../../gateway/platform/executors.ts';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { executorsSql, executorVersion } from './executor.sql.ts';
import { requestRoles, tenantRoles } from './tenant-names.ts';

/** Role prefixes of the tenants whose requests go through executors. @param client on the control database */
export async function sealedTenants(client: ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<{ role_prefix: string }>(
    `SELECT t.role_prefix FROM control.tenants t
     WHERE t.placement_kind = 'shared' AND t.isolation = 'sealed' AND t.role_prefix IS NOT NULL`,
  );
  return rows.map(({ role_prefix }) => role_prefix);
}

/**
 * Makes anew the executors whose text or token is not what it should be: after an update, and after a change of the master key. One
 * transaction each, so that requests of the others go on.
 *
 * @param client superuser connection to the shared database
 */
export async function renewExecutors(
  client: ClientBase,
  rolePrefixes: readonly string[],
  masterKey: Secret,
): Promise<void> {
  const roles = rolePrefixes.flatMap((rolePrefix) =>
    requestRoles(tenantRoles({ rolePrefix, schemaPrefix: rolePrefix })),
  );
  if (roles.length === 0) return;
  const { rows } = await client.query<{ role: string; version: string | null }>(EXISTING, [
    roles,
    GATE_SCHEMA,
  ]);
  for (const { role, version } of rows) {
    if (version !== executorVersion(role, masterKey)) await client.query(executorsSql(role, masterKey));
  }
}

/** Roles that are not there (any more) have no executor either. */
const EXISTING = `
  SELECT r.rolname AS role, d.description AS version
  FROM pg_roles r
  LEFT JOIN pg_proc p ON p.proname = r.rolname AND p.pronamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = $2)
  LEFT JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass AND d.objsubid = 0
  WHERE r.rolname = ANY ($1::text[])`;
