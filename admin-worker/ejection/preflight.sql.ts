import { NEEDED_EXTENSIONS } from '../extensions/needed-extensions.sql.ts';

/** $1 schemas. Extensions of the database; `is_needed` when something of the tenant's depends on a part of one. */
export const EXTENSIONS_IN_USE = `${NEEDED_EXTENSIONS}
  SELECT e.extname AS name, e.extversion AS version, n.nspname AS schema, e.oid IN (SELECT extension FROM needed) AS is_needed
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
  WHERE e.extname <> 'plpgsql' ORDER BY 1`;

/** $1 schemas, $2 owner. */
export const FOREIGN_OWNERS = `
  SELECT format('%I.%I', n.nspname, o.name) AS object, pg_get_userbyid(o.owner) AS about
  FROM (
    SELECT relnamespace AS namespace, relname AS name, relowner AS owner FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    UNION ALL SELECT pronamespace, proname, proowner FROM pg_proc
    UNION ALL SELECT typnamespace, typname, typowner FROM pg_type WHERE typtype IN ('e', 'd')
  ) o JOIN pg_namespace n ON n.oid = o.namespace
  WHERE n.nspname = ANY ($1::text[]) AND pg_get_userbyid(o.owner) <> $2
  ORDER BY 1 LIMIT 100`;

/**
 * $1 schemas. Tables that are referenced, inherited from, or whose types are used, and what views, defaults, triggers, policies and checks use, outside of what is moved; `auth` and `extensions` are there at the
 * new place too.
 */
export const OUTSIDE_REFERENCES = `
  SELECT DISTINCT format('%I.%I', n.nspname, c.relname) AS object, format('the table %I.%I', fn.nspname, f.relname) AS about
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
  WHERE k.contype = 'f' AND n.nspname = ANY ($1::text[]) AND fn.nspname <> ALL ($1::text[])
  UNION
  SELECT format('%I.%I', n.nspname, c.relname), format('the table %I.%I', fn.nspname, f.relname)
  FROM pg_inherits i
  JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class f ON f.oid = i.inhparent JOIN pg_namespace fn ON fn.oid = f.relnamespace
  WHERE n.nspname = ANY ($1::text[]) AND fn.nspname <> ALL ($1::text[])
  UNION
  SELECT format('%I.%I', n.nspname, c.relname), format('the type %I.%I', tn.nspname, t.typname)
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace tn ON tn.oid = t.typnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped
    AND n.nspname = ANY ($1::text[]) AND tn.nspname <> ALL ($1::text[] || ARRAY['pg_catalog', 'information_schema', 'extensions'])
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e')
  UNION
  SELECT format('%I.%I', n.nspname, c.relname), format('the %s %I.%I', CASE WHEN f.oid IS NULL THEN 'function' ELSE 'table' END, fn.nspname, COALESCE(f.relname, p.proname))
  FROM pg_depend u
  LEFT JOIN pg_rewrite r ON u.classid = 'pg_rewrite'::regclass AND r.oid = u.objid
  LEFT JOIN pg_attrdef a ON u.classid = 'pg_attrdef'::regclass AND a.oid = u.objid
  LEFT JOIN pg_trigger g ON u.classid = 'pg_trigger'::regclass AND g.oid = u.objid
  LEFT JOIN pg_policy y ON u.classid = 'pg_policy'::regclass AND y.oid = u.objid
  LEFT JOIN pg_constraint k ON u.classid = 'pg_constraint'::regclass AND k.oid = u.objid AND k.contype = 'c'
  JOIN pg_class c ON c.oid = COALESCE(r.ev_class, a.adrelid, g.tgrelid, y.polrelid, k.conrelid)
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_class f ON u.refclassid = 'pg_class'::regclass AND f.oid = u.refobjid
  LEFT JOIN pg_proc p ON u.refclassid = 'pg_proc'::regclass AND p.oid = u.refobjid
  JOIN pg_namespace fn ON fn.oid = COALESCE(f.relnamespace, p.pronamespace)
  WHERE n.nspname = ANY ($1::text[]) AND g.tgname IS DISTINCT FROM 'cascata_fence'
    AND fn.nspname <> ALL ($1::text[] || ARRAY['pg_catalog', 'information_schema', 'extensions', 'auth'])
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = u.refclassid AND e.objid = u.refobjid AND e.deptype = 'e')
  ORDER BY 1 LIMIT 100`;

/** $1 schemas. */
export const ALWAYS_TRIGGERS = `
  SELECT format('%I.%I', n.nspname, c.relname) AS object, t.tgname AS about
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY ($1::text[]) AND NOT t.tgisinternal AND t.tgenabled IN ('A', 'R') AND t.tgname <> 'cascata_fence'`;
