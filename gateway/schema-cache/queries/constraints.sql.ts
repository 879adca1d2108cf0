import { arrayLiteral, type SqlStatement } from '../../platform/sql.ts';

/**
 * One row a primary key, unique constraint or foreign key: contype, name, relation, referenced relation (`0` for keys), key
 * attnums, referenced attnums (arrays in PostgreSQL's form; NULL for keys).
 *
 * @param physicalSchemas exposed schemas and those of the extra search path
 */
export function constraintsQuery(physicalSchemas: readonly string[]): SqlStatement {
  return { text: CONSTRAINTS_SQL, values: [arrayLiteral(physicalSchemas)] };
}

// Views hand on the keys of the tables they show, and those may lie in any schema: they are found by what the views'
// rules depend on. Relations that are not exposed may be junctions, which count for what is suggested when an embed is not
// found: they are those whose foreign keys depend on the tables. Copies of a constraint on partitions name their original in conparentid.
const CONSTRAINTS_SQL = /* SQL */ `
WITH own AS MATERIALIZED (
  SELECT c.oid, c.relkind
  FROM pg_catalog.pg_namespace n
  JOIN pg_catalog.pg_depend member
    ON member.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
    AND member.refobjid = n.oid
    AND member.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  JOIN pg_catalog.pg_class c ON c.oid = member.objid
  WHERE n.nspname = ANY ($1::pg_catalog.text[])
    AND c.relkind IN ('r', 'v', 'm', 'p')
    AND NOT c.relispartition
),
relation AS (
  SELECT oid FROM own WHERE relkind IN ('r', 'p')
  UNION
  SELECT shown.refobjid
  FROM own
  JOIN pg_catalog.pg_rewrite r ON r.ev_class = own.oid AND r.ev_type = '1'
  JOIN pg_catalog.pg_depend shown
    ON shown.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    AND shown.objid = r.oid
    AND shown.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  WHERE own.relkind IN ('v', 'm')
  UNION
  SELECT k.conrelid
  FROM own
  JOIN pg_catalog.pg_depend pointing
    ON pointing.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND pointing.refobjid = own.oid
    AND pointing.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
    AND pointing.deptype = 'n'
  JOIN pg_catalog.pg_constraint k ON k.oid = pointing.objid AND k.contype = 'f'
  WHERE own.relkind IN ('r', 'p')
)
SELECT
  k.contype,
  k.conname,
  k.conrelid,
  k.confrelid,
  k.conkey,
  k.confkey
FROM relation
JOIN pg_catalog.pg_constraint k ON k.conrelid = relation.oid
WHERE k.contype IN ('p', 'u', 'f')
  AND k.conparentid = 0
`;
