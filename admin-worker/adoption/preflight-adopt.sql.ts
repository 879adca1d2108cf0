/** $1 the login that would be made. From PostgreSQL 16 on who may create roles may grant those alone that it administers. */
export const ADOPTED_LOGIN = `
  SELECT r.rolname AS login, current_setting('server_version_num')::int / 10000 AS major, pg_is_in_recovery() AS is_replica,
    r.rolsuper AS is_super, r.rolsuper OR r.rolcreaterole AS can_create_roles,
    r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls AS has_more,
    current_database() AS database,
    CASE WHEN pg_has_role(r.oid, 'pg_read_all_settings', 'USAGE') THEN (SELECT system_identifier::text FROM pg_control_system()) END AS system,
    EXISTS (SELECT FROM pg_roles t WHERE t.rolname = $1) AS taken,
    to_regproc('auth.uid') IS NOT NULL AS has_auth
  FROM pg_roles r WHERE r.rolname = current_user`;

/** $1 roles. becomes: superusers and other roles of the list that a role is a member of; service_role may be a member of anything, as on Supabase. */
export const ADOPTED_ROLES = `
  SELECT w.name, r.oid IS NOT NULL AS exists, COALESCE(r.rolsuper, false) AS is_super, COALESCE(r.rolbypassrls, false) AS bypasses,
    COALESCE(r.rolcreaterole OR r.rolcreatedb OR r.rolreplication, false) AS has_more,
    r.oid IS NOT NULL AND pg_has_role(me.oid, r.oid, 'MEMBER') AS is_member,
    r.oid IS NOT NULL AND (me.rolsuper
      OR (me.rolcreaterole AND current_setting('server_version_num')::int < 160000 AND NOT r.rolsuper)
      OR EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid AND m.member = me.oid AND m.admin_option)) AS can_be_granted,
    ARRAY(
      SELECT o.rolname::text FROM pg_roles o
      WHERE r.oid IS NOT NULL AND o.oid <> r.oid AND w.name <> 'service_role'
        AND (o.rolsuper OR o.rolbypassrls OR o.rolname = ANY ($1::text[])) AND pg_has_role(r.oid, o.oid, 'MEMBER')
      ORDER BY 1) AS becomes
  FROM unnest($1::text[]) WITH ORDINALITY AS w(name, place)
  LEFT JOIN pg_roles r ON r.rolname = w.name
  CROSS JOIN (SELECT * FROM pg_roles WHERE rolname = current_user) me
  ORDER BY w.place`;

/** $1 schemas. */
export const ADOPTED_SCHEMAS = `
  SELECT w.name FROM unnest($1::text[]) AS w(name) WHERE NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = w.name) ORDER BY 1`;

/** $1 schemas, $2 roles that row-level security is for. */
export const ADOPTED_OBJECTS = `
  (SELECT 'rls_off' AS code, format('%I.%I', n.nspname, c.relname) AS object, string_agg(r.rolname, ', ' ORDER BY r.rolname) AS about
   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   JOIN pg_roles r ON r.rolname = ANY ($2::text[])
     AND has_schema_privilege(r.oid, n.oid, 'USAGE') AND has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
   WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
   GROUP BY 2 ORDER BY 2 LIMIT 50)
  UNION ALL
  (SELECT 'definer_function', p.oid::regprocedure::text, o.rolname
   FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles o ON o.oid = p.proowner
   WHERE n.nspname = ANY ($1::text[]) AND p.prosecdef AND o.rolsuper
     AND EXISTS (SELECT FROM pg_roles r WHERE r.rolname = ANY ($2::text[]) AND has_function_privilege(r.oid, p.oid, 'EXECUTE'))
   ORDER BY 2 LIMIT 50)
  UNION ALL
  (SELECT 'no_usage', n.nspname, '' FROM pg_namespace n
   WHERE n.nspname = ANY ($1::text[])
     AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = ANY ($2::text[] || 'service_role'::text) AND has_schema_privilege(r.oid, n.oid, 'USAGE'))
   ORDER BY 2)`;
