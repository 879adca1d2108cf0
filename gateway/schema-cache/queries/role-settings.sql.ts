import type { SqlStatement } from '../../platform/sql.ts';

/**
 * One row a role with settings: name, settings (JSON array of `name=value`), those of this database last. The roles are those
 * that requests can run as: the login is a member of them, and they carry the tenant's prefix where it has one.
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
  AND pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
  AND s.setdatabase IN (
    0,
    (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
  )
ORDER BY r.rolname, s.setdatabase
`;
