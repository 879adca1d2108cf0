/** $1 schemas, $2 the tenant's own roles. Roles of others that rights, policies and default privileges name. */
export const FOREIGN_GRANTS = `
  WITH named AS (
    SELECT format('%I.%I', n.nspname, c.relname) AS object, a.grantee AS role, c.relowner AS owner
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) a WHERE n.nspname = ANY ($1::text[])
    UNION ALL
    SELECT format('%I.%I', n.nspname, c.relname), a.grantee, c.relowner
    FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(t.attacl) a
    WHERE n.nspname = ANY ($1::text[])
    UNION ALL
    SELECT format('%I.%I', n.nspname, p.proname), a.grantee, p.proowner
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace CROSS JOIN LATERAL aclexplode(p.proacl) a WHERE n.nspname = ANY ($1::text[])
    UNION ALL
    SELECT format('%I.%I', n.nspname, t.typname), a.grantee, t.typowner
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace CROSS JOIN LATERAL aclexplode(t.typacl) a WHERE n.nspname = ANY ($1::text[])
    UNION ALL
    SELECT n.nspname, a.grantee, n.nspowner FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a WHERE n.nspname = ANY ($1::text[])
    UNION ALL
    SELECT format('default privileges in %I', n.nspname), a.grantee, d.defaclrole
    FROM pg_default_acl d JOIN pg_namespace n ON n.oid = d.defaclnamespace CROSS JOIN LATERAL aclexplode(d.defaclacl) a WHERE n.nspname = ANY ($1::text[])
    UNION ALL
    SELECT format('default privileges in %I', n.nspname), d.defaclrole, 0
    FROM pg_default_acl d JOIN pg_namespace n ON n.oid = d.defaclnamespace WHERE n.nspname = ANY ($1::text[])
    UNION ALL
    SELECT format('policy %I on %I.%I', p.polname, n.nspname, c.relname), r.role, c.relowner
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL unnest(p.polroles) AS r(role)
    WHERE n.nspname = ANY ($1::text[])
  )
  SELECT DISTINCT object, pg_get_userbyid(role) AS about FROM named
  WHERE role <> 0 AND role <> owner AND pg_get_userbyid(role) <> ALL ($2::text[])
  ORDER BY 1, 2 LIMIT 100`;

/**
 * $1 schemas. Expressions that are worked out while rows are written and that call what is not built in, or not immutable. Rows that a subscription writes are written with
 * the rights of its owner before PostgreSQL 16, and that is a superuser. What is called stands in the catalog as a tree of nodes.
 */
export const TENANT_EXPRESSIONS = `
  WITH trees AS (
    SELECT format('constraint %I on %s', k.conname, COALESCE(NULLIF(k.conrelid, 0)::regclass::text, k.contypid::regtype::text)) AS object, k.conbin::text AS tree
    FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace WHERE n.nspname = ANY ($1::text[]) AND k.conbin IS NOT NULL
    UNION ALL
    SELECT format('default of %s.%I', a.attrelid::regclass, a.attname), d.adbin::text
    FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p')
    UNION ALL
    SELECT format('index %s', i.indexrelid::regclass), concat(i.indexprs::text, i.indpred::text)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY ($1::text[])
    UNION ALL
    SELECT format('partitions of %s', p.partrelid::regclass), p.partexprs::text
    FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY ($1::text[])
  ), called AS (
    SELECT object, m[1]::oid AS function FROM trees CROSS JOIN LATERAL regexp_matches(tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\\d+)', 'g') AS m
    UNION ALL
    SELECT object, o.oprcode FROM trees CROSS JOIN LATERAL regexp_matches(tree, ':opno (\\d+)', 'g') AS m JOIN pg_operator o ON o.oid = m[1]::oid
    UNION ALL
    SELECT object, o.oprcode FROM trees CROSS JOIN LATERAL regexp_matches(tree, ':opnos \\(o ([\\d ]+)\\)', 'g') AS m
    CROSS JOIN LATERAL regexp_split_to_table(m[1], ' ') AS op JOIN pg_operator o ON o.oid = op::oid
  )
  SELECT DISTINCT object, p.oid::regprocedure::text AS about
  FROM called JOIN pg_proc p ON p.oid = called.function JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE NOT (n.nspname = 'pg_catalog' AND (p.provolatile = 'i'
    OR p.proname = ANY ('{nextval,now,clock_timestamp,statement_timestamp,transaction_timestamp,timeofday,random,gen_random_uuid,date,timestamp,timestamptz,time,timetz,timezone,to_char}')))
  UNION ALL
  SELECT format('trigger %I on %I.%I', t.tgname, n.nspname, c.relname), t.tgfoid::regprocedure::text
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY ($1::text[]) AND NOT t.tgisinternal AND t.tgenabled IN ('A', 'R') AND t.tgname <> 'cascata_fence'
  ORDER BY 1, 2 LIMIT 100`;

/** What the login may do at the place that a tenant comes from. From PostgreSQL 16 on a login may give what it has itself. */
export const SOURCE_LOGIN = `
  SELECT r.rolname AS login,
    r.rolsuper OR (r.rolcreaterole AND r.rolreplication AND r.rolbypassrls AND current_setting('server_version_num')::int >= 160000) AS can_publish,
    pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE') AS can_monitor,
    has_database_privilege(current_database(), 'CREATE') AS can_create,
    EXISTS (SELECT FROM pg_roles o WHERE o.rolname = $1 AND pg_has_role(r.oid, o.oid, 'USAGE')) AS is_owner
  FROM pg_roles r WHERE r.rolname = current_user`;
