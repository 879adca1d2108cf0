import type { SqlStatement } from '../../platform/sql.ts';

/**
 * One row for each place where a role's settings are kept (`ALTER ROLE … SET`), those of this database last: the settings as a
 * JSON array of `name=value`.
 *
 * @param role whose settings; `undefined` is the login's own
 */
export function databaseSettingsQuery(role: string | undefined): SqlStatement {
  return { text: DATABASE_SETTINGS_SQL, values: [role ?? null] };
}

const DATABASE_SETTINGS_SQL = /* SQL */ `
SELECT pg_catalog.array_to_json(s.setconfig)
FROM pg_catalog.pg_db_role_setting s
JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
WHERE r.rolname = COALESCE($1::pg_catalog.name, session_user)
  AND s.setdatabase IN (
    0,
    (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
  )
ORDER BY s.setdatabase
`;

/** One row: the value of each name in the current transaction, NULL where it was never set. */
export function currentSettingsQuery(names: readonly string[]): SqlStatement {
  const columns = names.map((_, index) => `pg_catalog.current_setting($${index + 1}, true)`);
  return { text: `SELECT ${columns.join(', ')}`, values: names };
}
