import { arrayLiteral, type SqlStatement } from '../../platform/sql.ts';

/**
 * One row a name: `f` and a function or aggregate that takes a row and nothing else, so that it can be named like a column of it, or `t` and a type of its own,
 * which rows of tables are not.
 */
export function namesQuery(physicalSchemas: readonly string[]): SqlStatement {
  return { text: NAMES_SQL, values: [arrayLiteral(physicalSchemas)] };
}

// What belongs to a schema depends on it; arrays and types of rows depend on what they are of.
const NAMES_SQL = /* SQL */ `
WITH member AS MATERIALIZED (
  SELECT m.classid, m.objid
  FROM pg_catalog.pg_namespace n
  JOIN pg_catalog.pg_depend m
    ON m.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
    AND m.refobjid = n.oid
    AND m.classid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_type'::pg_catalog.regclass)
  WHERE n.nspname = ANY ($1::pg_catalog.text[])
)
SELECT 'f', p.proname
FROM member
JOIN pg_catalog.pg_proc p ON p.oid = member.objid
JOIN pg_catalog.pg_type arg ON arg.oid = p.proargtypes[0]
WHERE member.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  AND p.prokind IN ('f', 'a')
  AND p.pronargs - p.pronargdefaults <= 1
  -- record, anyelement, any, anynonarray, anycompatible, anycompatiblenonarray
  AND (arg.typtype IN ('c', 'd') OR arg.oid IN (2249, 2283, 2276, 2776, 5077, 5079))
UNION
SELECT 't', t.typname
FROM member
JOIN pg_catalog.pg_type t ON t.oid = member.objid
WHERE member.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
`;
