/*
 * $1 text[]  physical schemas of the tenant
 * $2 text    owner role
 *
 * One row for each ACL entry of the tenant's objects: relations, their columns, sequences, routines, types, schemas. `target` is
 * quoted and qualified for a GRANT (the search path must be pg_catalog, else regprocedure leaves schemas out).
 *
 * What is in a schema is found by its dependency on the schema, for which there is an index: catalogs have none by schema, and the
 * objects of a thousand other tenants would be read. What belongs to an extension is not the tenant's, unless the extension is: its owner can
 * declare anything of his to be a part of it. Row types depend on their relation only, array types on their element's.
 */
const ACL_ENTRIES = `
  schemas AS (
    SELECT n.oid, n.nspname, n.nspacl FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY ($1::text[])
  ),
  members AS MATERIALIZED (
    SELECT n.nspname, d.classid, d.objid
    FROM schemas n
    JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = n.oid
    WHERE NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend e
      JOIN pg_catalog.pg_extension x ON x.oid = e.refobjid
      WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e'
        AND e.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
        AND x.extowner <> (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = $2::text))
  ),
  relations AS MATERIALIZED (
    SELECT m.nspname, c.oid, c.relname, c.relkind, c.relacl, c.relowner, c.reltype
    FROM members m JOIN pg_catalog.pg_class c ON c.oid = m.objid
    WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  ),
  routines AS MATERIALIZED (
    SELECT m.nspname, p.oid, p.proacl, p.proowner
    FROM members m JOIN pg_catalog.pg_proc p ON p.oid = m.objid
    WHERE m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  ),
  types AS MATERIALIZED (
    SELECT m.nspname, t.typname, t.typacl, t.typowner
    FROM (
      SELECT nspname, objid FROM members WHERE classid = 'pg_catalog.pg_type'::pg_catalog.regclass
      UNION
      SELECT nspname, reltype FROM relations
    ) m
    JOIN pg_catalog.pg_type t ON t.oid = m.objid
  ),
  acls AS (
    SELECT CASE WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
      pg_catalog.format('%I.%I', c.nspname, c.relname) AS target, '' AS columns, c.relacl AS acl
    FROM relations c
    WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S') AND c.relacl IS NOT NULL
    UNION ALL
    SELECT 'TABLE', pg_catalog.format('%I.%I', c.nspname, c.relname), pg_catalog.format(' (%I)', a.attname), a.attacl
    FROM pg_catalog.pg_attribute a
    JOIN relations c ON c.oid = a.attrelid
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
    UNION ALL
    SELECT 'ROUTINE', p.oid::pg_catalog.regprocedure::text, '', p.proacl
    FROM routines p
    WHERE p.proacl IS NOT NULL
    UNION ALL
    SELECT 'TYPE', pg_catalog.format('%I.%I', t.nspname, t.typname), '', t.typacl
    FROM types t
    WHERE t.typacl IS NOT NULL
    UNION ALL
    SELECT 'SCHEMA', pg_catalog.format('%I', n.nspname), '', n.nspacl
    FROM schemas n WHERE n.nspacl IS NOT NULL
  ),
  entries AS (
    SELECT a.kind, a.target, a.columns, e.privilege_type, e.is_grantable, e.grantee, e.grantor
    FROM acls a, LATERAL pg_catalog.aclexplode(a.acl) e
  ),
  owner AS (
    SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = $2::text
  ),
  default_entries AS (
    SELECT CASE WHEN n.nspname IS NULL THEN '' ELSE pg_catalog.format(' IN SCHEMA %I', n.nspname) END AS place,
      CASE d.defaclobjtype
        WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS'
      END AS kind,
      e.privilege_type, e.is_grantable, e.grantee
    FROM pg_catalog.pg_default_acl d
    JOIN owner o ON o.oid = d.defaclrole
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
    CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) e
  )`;

/**
 * $1, $2 as above; $3 text[], $4 text[]: what is granted to the role $3[i] is to be granted to the role $4[i] instead.
 * Answers `statement` rows to be run in order by the owner.
 */
export const MOVE_GRANTS: string = `
  WITH ${ACL_ENTRIES},
  moves AS (
    SELECT r.oid AS source, pg_catalog.format('%I', r.rolname) AS source_name, pg_catalog.format('%I', m.target) AS target_name
    FROM ROWS FROM (pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[])) AS m(source, target)
    JOIN pg_catalog.pg_roles r ON r.rolname = m.source
  ),
  moved AS (
    SELECT e.kind, e.target, m.source_name, m.target_name, e.is_grantable,
      pg_catalog.string_agg(e.privilege_type || e.columns, ', ') AS privileges
    FROM entries e
    JOIN moves m ON m.source = e.grantee
    JOIN owner o ON o.oid = e.grantor
    GROUP BY e.kind, e.target, m.source_name, m.target_name, e.is_grantable
  ),
  moved_defaults AS (
    SELECT e.place, e.kind, m.source_name, m.target_name, e.is_grantable,
      pg_catalog.string_agg(e.privilege_type, ', ') AS privileges
    FROM default_entries e JOIN moves m ON m.source = e.grantee
    GROUP BY e.place, e.kind, m.source_name, m.target_name, e.is_grantable
  )
  SELECT pg_catalog.format('GRANT %s ON %s %s TO %s%s; REVOKE %s ON %s %s FROM %s', privileges, kind, target, target_name,
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, privileges, kind, target, source_name) AS statement
  FROM moved
  UNION ALL
  SELECT pg_catalog.format('ALTER DEFAULT PRIVILEGES%s GRANT %s ON %s TO %s%s; ALTER DEFAULT PRIVILEGES%s REVOKE %s ON %s FROM %s',
    place, privileges, kind, target_name, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END,
    place, privileges, kind, source_name)
  FROM moved_defaults`;

/**
 * $1, $2 as above; $3 text[]: the tenant's roles for requests. What the schemas themselves grant to PUBLIC goes to these
 * roles: PUBLIC would be every tenant.
 */
export const CLOSE_SCHEMAS: string = `
  WITH ${ACL_ENTRIES},
  roles AS (
    SELECT pg_catalog.string_agg(pg_catalog.format('%I', r.name), ', ') AS names FROM pg_catalog.unnest($3::text[]) AS r(name)
  )
  SELECT pg_catalog.format('GRANT %s ON SCHEMA %s TO %s; REVOKE %s ON SCHEMA %s FROM PUBLIC',
    e.privilege_type, e.target, r.names, e.privilege_type, e.target) AS statement
  FROM entries e CROSS JOIN roles r
  JOIN owner o ON o.oid = e.grantor
  WHERE e.kind = 'SCHEMA' AND e.grantee = 0`;

/** $1 text[]: physical schemas; $2 text[], $3 text[]: policies for the role $2[i] become policies for the role $3[i]. */
export const MOVE_POLICIES: string = `
  WITH moves AS (
    SELECT r.oid AS source, m.target
    FROM ROWS FROM (pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[])) AS m(source, target)
    JOIN pg_catalog.pg_roles r ON r.rolname = m.source
  )
  SELECT pg_catalog.format('ALTER POLICY %I ON %I.%I TO %s', p.polname, n.nspname, c.relname,
    (SELECT pg_catalog.string_agg(DISTINCT
        CASE WHEN u.role = 0 THEN 'PUBLIC' ELSE pg_catalog.format('%I', COALESCE(m.target, r.rolname::text)) END, ', ')
     FROM pg_catalog.unnest(p.polroles) AS u(role)
     LEFT JOIN moves m ON m.source = u.role
     LEFT JOIN pg_catalog.pg_roles r ON r.oid = u.role)) AS statement
  FROM pg_catalog.pg_policy p
  JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY ($1::text[]) AND p.polroles && ARRAY(SELECT m.source FROM moves m)`;

/**
 * PostgreSQL makes the constructors of a range type itself, gives them to the superuser and ties them to the type: whoever has the type
 * can neither change nor drop them, and they do nothing with their owner's rights. They are not looked at.
 *
 * $1, $2 as above; $3 text[]: roles that the tenant's objects may name. Answers a `problem` row for each object that names another
 * role or is not the owner's, and for each schema that is gone.
 */
export const FOREIGN_ROLES: string = `
  WITH ${ACL_ENTRIES},
  allowed AS (
    SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = ANY ($3::text[])
  ),
  owned AS (
    SELECT pg_catalog.format('relation %I.%I', c.nspname, c.relname) AS what, c.relowner AS owner
    FROM relations c
    UNION ALL
    SELECT pg_catalog.format('routine %s', p.oid::pg_catalog.regprocedure), p.proowner
    FROM routines p
    WHERE NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_type t ON t.oid = d.refobjid AND t.typowner = (SELECT w.oid FROM owner w)
      WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
        AND d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.deptype = 'i')
    UNION ALL
    SELECT pg_catalog.format('type %I.%I', t.nspname, t.typname), t.typowner
    FROM types t
    UNION ALL
    SELECT pg_catalog.format('schema %I', n.nspname), s.nspowner
    FROM schemas n JOIN pg_catalog.pg_namespace s ON s.oid = n.oid
  )
  SELECT pg_catalog.format('%s %s grants to the role %s, which is not one of this project''s', pg_catalog.lower(e.kind), e.target,
    pg_catalog.pg_get_userbyid(e.grantee)) AS problem
  FROM entries e
  WHERE e.grantee <> 0 AND e.grantee NOT IN (SELECT a.oid FROM allowed a)
  UNION ALL
  SELECT pg_catalog.format('a default privilege on %s%s names the role %s, which is not one of this project''s',
    pg_catalog.lower(e.kind), e.place, pg_catalog.pg_get_userbyid(e.grantee))
  FROM default_entries e
  WHERE e.grantee <> 0 AND e.grantee NOT IN (SELECT a.oid FROM allowed a)
  UNION ALL
  SELECT pg_catalog.format('policy %I on %I.%I names the role %s, which is not one of this project''s', p.polname, c.nspname, c.relname,
    pg_catalog.pg_get_userbyid(u.role))
  FROM pg_catalog.pg_policy p
  JOIN relations c ON c.oid = p.polrelid
  CROSS JOIN LATERAL pg_catalog.unnest(p.polroles) AS u(role)
  WHERE u.role <> 0 AND u.role NOT IN (SELECT a.oid FROM allowed a)
  UNION ALL
  SELECT pg_catalog.format('%s belongs to the role %s instead of %s', o.what, pg_catalog.pg_get_userbyid(o.owner), $2)
  FROM owned o
  WHERE o.owner <> (SELECT w.oid FROM owner w)
  UNION ALL
  SELECT pg_catalog.format('schema %I is gone', m.name)
  FROM pg_catalog.unnest($1::text[]) AS m(name)
  WHERE NOT EXISTS (SELECT FROM schemas n WHERE n.nspname = m.name)`;
