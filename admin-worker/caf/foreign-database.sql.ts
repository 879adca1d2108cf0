import { FENCE_NAME } from '../ejection/fence.ts';
import { NEEDED_EXTENSIONS } from '../extensions/needed-extensions.sql.ts';

/*
 * What is asked of a database that was not made here. Any login may ask; sessions have `search_path = pg_catalog, pg_temp`. $1 is always the schemas that are the tenant's.
 */

const isMember = (catalog: string, oid: string) =>
  `EXISTS (SELECT FROM pg_depend e WHERE e.classid = '${catalog}'::regclass AND e.objid = ${oid} AND e.deptype = 'e')`;
const OWN = 'n.nspname = ANY ($1::text[])';

/** Those of them that are there. */
export const EXISTING_SCHEMAS = `
  SELECT n.nspname::text AS name FROM pg_namespace n WHERE ${OWN} ORDER BY n.nspname COLLATE "C"`;

/** Roles that own something, or a schema. */
export const OWNERS = `
  SELECT DISTINCT pg_get_userbyid(o.owner)::text AS name FROM (
    SELECT n.nspowner FROM pg_namespace n WHERE ${OWN}
    UNION SELECT c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OWN} AND NOT ${isMember('pg_class', 'c.oid')}
    UNION SELECT p.proowner FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${OWN} AND NOT ${isMember('pg_proc', 'p.oid')}
    UNION SELECT t.typowner FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE ${OWN} AND NOT ${isMember('pg_type', 't.oid')}
  ) o(owner) ORDER BY 1`;

/**
 * What objects in these schemas depend on in others: what is in a schema depends on the schema; constraints, defaults, indexes, triggers and policies depend on that. Not
 * what belongs to extensions, nor our own fence.
 */
export const OUTSIDE = `
  WITH RECURSIVE own (classid, objid) AS (
    SELECT d.classid, d.objid FROM pg_depend d JOIN pg_namespace n ON n.oid = d.refobjid
    WHERE d.refclassid = 'pg_namespace'::regclass AND ${OWN} AND d.deptype <> 'e'
    UNION
    SELECT d.classid, d.objid FROM own o JOIN pg_depend d ON d.refclassid = o.classid AND d.refobjid = o.objid
    WHERE d.deptype IN ('a', 'i')
  ), used AS (
    SELECT u.refclassid, u.refobjid, min(pg_describe_object(o.classid, o.objid, 0)) AS by
    FROM own o JOIN pg_depend u ON u.classid = o.classid AND u.objid = o.objid
    WHERE NOT EXISTS (
      SELECT FROM pg_depend e WHERE e.classid = u.refclassid AND e.objid = u.refobjid AND e.deptype = 'e')
    GROUP BY 1, 2
  )
  SELECT i.schema, i.identity AS object, used.by
  FROM used CROSS JOIN LATERAL pg_identify_object(used.refclassid, used.refobjid, 0) i
  WHERE i.schema <> ALL ($1::text[]) AND i.schema <> ALL ('{pg_catalog,information_schema,pg_toast,${FENCE_NAME}}'::text[])
  ORDER BY 1, 2 LIMIT 200`;

/** Extensions that nothing in these schemas needs, as far as the catalog knows. */
export const OTHER_EXTENSIONS = `${NEEDED_EXTENSIONS}
  SELECT e.extname::text AS name FROM pg_extension e
  WHERE e.extname <> 'plpgsql' AND e.oid NOT IN (SELECT extension FROM needed) ORDER BY 1`;

/** Schemas that hold something and are not the tenant's. */
export const OTHER_SCHEMAS = `
  SELECT n.nspname::text AS name FROM pg_namespace n
  WHERE NOT ${OWN} AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', '${FENCE_NAME}')
    AND (EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT ${isMember('pg_class', 'c.oid')})
      OR EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND NOT ${isMember('pg_proc', 'p.oid')}))
  ORDER BY 1`;

/** $2 roles of requests. What cannot be had as it is: what it is, its code, and a role. */
export const PROBLEMS = `
  WITH relations AS (
    SELECT c.oid, c.relkind, c.relowner, c.reloptions, format('%I.%I', n.nspname, c.relname) AS object
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE ${OWN} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT ${isMember('pg_class', 'c.oid')}
  ), strangers AS (
    -- Owners of something, who have not got the rights of the owner of something else.
    SELECT r.oid FROM pg_roles r WHERE NOT r.rolsuper AND EXISTS (
      SELECT FROM relations t WHERE t.relkind IN ('r', 'p') AND NOT pg_has_role(r.oid, t.relowner, 'USAGE'))
  )
  SELECT 'foreign_table' AS code, object, pg_get_userbyid(relowner)::text AS role FROM relations WHERE relkind = 'f'
  UNION ALL
  SELECT 'foreign_owner', object, pg_get_userbyid(relowner) FROM relations WHERE pg_get_userbyid(relowner) = ANY ($2::text[])
  UNION ALL
  SELECT 'definer_function', object, pg_get_userbyid(relowner) FROM relations
  WHERE relkind IN ('v', 'm') AND relowner IN (SELECT oid FROM strangers)
    AND NOT ('security_invoker=true' = ANY (COALESCE(reloptions, '{}')) OR 'security_invoker=on' = ANY (COALESCE(reloptions, '{}')))
  UNION ALL
  SELECT 'definer_function', p.oid::regprocedure::text, pg_get_userbyid(p.proowner)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE ${OWN} AND p.prosecdef AND p.proowner IN (SELECT oid FROM strangers) AND NOT ${isMember('pg_proc', 'p.oid')}
  ORDER BY 1, 2 LIMIT 100`;

/** $1 names of roles: what these can become, by the rights that were given to them. */
export const REACHABLE_ROLES = `
  WITH RECURSIVE reachable (oid) AS (
    SELECT r.oid FROM pg_roles r WHERE r.rolname = ANY ($1::text[])
    UNION SELECT m.roleid FROM reachable JOIN pg_auth_members m ON m.member = reachable.oid)
  SELECT r.rolname::text AS name FROM reachable JOIN pg_roles r USING (oid)`;

/** $1 roles of requests, $2 the login of requests. Settings that a dump does not hold. */
export const ROLE_SETTINGS = `
  SELECT COALESCE(r.rolname::text, 'database ' || current_database()) AS role, split_part(c.setting, '=', 1) AS setting
  FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole CROSS JOIN LATERAL unnest(s.setconfig) AS c(setting)
  WHERE (r.rolname = ANY ($1::text[] || $2::text) OR s.setrole = 0)
    AND (s.setdatabase = 0 OR s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
  ORDER BY 1, 2`;

/** $1 roles of requests. Which of them exist, and are not subject to row-level security. */
export const REQUEST_ROLES =
  'SELECT rolname::text AS name, rolbypassrls AS bypasses FROM pg_roles WHERE rolname = ANY ($1::text[])';

/** $2 roles of requests. Which of them may use which schema, by whatever right. */
export const SCHEMA_USE = `
  SELECT n.nspname::text AS schema, r.rolname::text AS role FROM pg_namespace n CROSS JOIN pg_roles r
  WHERE ${OWN} AND r.rolname = ANY ($2::text[]) AND has_schema_privilege(r.oid, n.oid, 'USAGE') ORDER BY 1, 2`;

/** $2 roles of the tenant's. */
export const LARGE_OBJECTS = `
  SELECT count(*) FILTER (WHERE pg_get_userbyid(lomowner) = ANY ($2::text[]))::int AS own, count(*)::int AS "all", cardinality($1::text[]) FROM pg_largeobject_metadata`;

/** What a login may do by itself. */
export const READER = `
  SELECT r.rolname::text AS name, r.rolsuper AS is_super, current_setting('server_version_num')::int / 10000 AS major, current_setting('server_encoding') AS encoding,
    ARRAY(SELECT m.rolname::text FROM pg_roles m WHERE NOT m.rolsuper AND m.rolname NOT LIKE 'pg\\_%' AND m.oid <> r.oid
      AND pg_has_role(r.oid, m.oid, 'MEMBER') ORDER BY m.rolbypassrls DESC, m.rolname LIMIT 50) AS roles
  FROM pg_roles r WHERE r.rolname = session_user`;

/** $2 a role: what it cannot read, all of it. */
export const UNREADABLE = `
  SELECT format('%I.%I', n.nspname, c.relname) AS object
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN pg_roles r
  WHERE ${OWN} AND r.rolname = $2 AND c.relkind IN ('r', 'p', 'S') AND NOT ${isMember('pg_class', 'c.oid')}
    AND NOT (has_schema_privilege(r.oid, n.oid, 'USAGE') AND CASE c.relkind
      WHEN 'S' THEN has_sequence_privilege(r.oid, c.oid, 'SELECT')
      ELSE has_table_privilege(r.oid, c.oid, 'SELECT')
        AND (NOT c.relrowsecurity OR r.rolbypassrls OR r.rolsuper OR (pg_has_role(r.oid, c.relowner, 'USAGE') AND NOT c.relforcerowsecurity))
      END)
  ORDER BY 1 LIMIT 100`;
