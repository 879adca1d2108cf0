/**
 * $1 schemas: `needed (extension)` holds the oids of extensions that something in them uses. What is in a schema depends on the schema; defaults, constraints, rules, policies, triggers
 * and indexes depend on that; and what they use on the extension, of whose types arrays may be used as well. Texts of functions are not known to the catalog. One that is in such a schema itself is there to be called.
 */
export const NEEDED_EXTENSIONS = `
  WITH RECURSIVE own (classid, objid) AS (
    SELECT d.classid, d.objid FROM pg_depend d JOIN pg_namespace n ON n.oid = d.refobjid
    WHERE d.refclassid = 'pg_namespace'::regclass AND n.nspname = ANY ($1::text[]) AND d.deptype <> 'e'
      AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = d.classid AND x.objid = d.objid AND x.deptype = 'e')
    UNION
    SELECT d.classid, d.objid FROM own o JOIN pg_depend d ON d.refclassid = o.classid AND d.refobjid = o.objid
    WHERE d.deptype IN ('a', 'i')
  ), needed (extension) AS (
    SELECT m.refobjid FROM own o
    JOIN pg_depend u ON u.classid = o.classid AND u.objid = o.objid
    LEFT JOIN pg_type y ON u.refclassid = 'pg_type'::regclass AND y.oid = u.refobjid AND y.typcategory = 'A' AND y.typelem <> 0
    JOIN pg_depend m ON m.classid = u.refclassid AND m.objid IN (u.refobjid, y.typelem) AND m.deptype = 'e'
    WHERE m.refclassid = 'pg_extension'::regclass
    UNION
    SELECT e.oid FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE n.nspname = ANY ($1::text[])
  )`;
