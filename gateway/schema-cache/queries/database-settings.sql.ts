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

/**
 * One row for each `pgrst.app.settings.*` that a function without parameters names. PostgreSQL lists no settings that it does not know itself, so
 * their names are taken from the function's own text. Not for a tenant's role: in the shared database such texts are closed to them.
 *
 * @param place name of the function and the schemas that it may be in, physical
 */
export function appSettingNamesQuery(place: {
  readonly schemas: readonly string[];
  readonly name: string;
}): SqlStatement {
  return { text: APP_SETTING_NAMES_SQL, values: [JSON.stringify(place.schemas), place.name] };
}

const APP_SETTING_NAMES_SQL = /* SQL */ `
SELECT DISTINCT found.match[1]
FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid,
LATERAL pg_catalog.regexp_matches(
  pg_catalog.pg_get_functiondef(p.oid),
  'pgrst\\.app\\.settings(?:\\.[A-Za-z_][A-Za-z0-9_$]*)+',
  'g'
) AS found (match)
WHERE n.nspname IN (SELECT pg_catalog.json_array_elements_text($1::json))
  AND p.proname = $2 AND p.pronargs = 0 AND p.prokind = 'f'
`;
