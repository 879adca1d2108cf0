import type { SqlStatement } from '../../platform/sql.ts';

/**
 * One row a role with settings: name, settings (JSON array of `name=value`), those of this database last. The roles are those
 * that requests can run as: they carry the tenant's prefix where it has one, else the login
 * is a member of them or calls their executors.
 */
export function roleSettingsQuery(rolePrefix: string | undefined): SqlStatement {
  return { text: ROLE_SETTINGS_SQL, values: [rolePrefix === undefined ? '' : `${rolePrefix}_`] };
}

const ROLE_SETTINGS_SQL = /* SQL */ `
SELECT
  r.rolname,
  pg_catalog.array_to_json(s.setconfig)
FROM pg_catalog.pg_db_role_setting s
JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
WHERE pg_catalog.starts_with(r.rolname::pg_catalog.text, $1)
  AND (
    $1 <> ''
    OR pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
    OR EXISTS (
      SELECT FROM pg_catalog.pg_proc p
      WHERE p.proname = r.rolname AND p.pronamespace = (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'gate')
    )
  )
  AND s.setdatabase IN (
    0,
    (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
  )
ORDER BY r.rolname, s.setdatabase
`;
