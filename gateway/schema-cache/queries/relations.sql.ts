import { arrayLiteral, type SqlStatement } from '../../platform/sql.ts';

/** One row a relation: oid, schema, name, relkind, comment, bit mask of the commands it takes. Partitions are left out. */
export function relationsQuery(physicalSchemas: readonly string[]): SqlStatement {
  return { text: RELATIONS_SQL, values: [arrayLiteral(physicalSchemas)] };
}

// pg_class has no index on relnamespace. pg_depend does have one on what is depended upon, and every relation depends on
// its schema, so the members of a schema are found there: other tenants' thousands of relations are never read.
const RELATIONS_SQL = /* SQL */ `
SELECT
  c.oid,
  n.nspname,
  c.relname,
  c.relkind,
  comment.description,
  -- 1 << CMD_INSERT = 8, 1 << CMD_UPDATE = 4, 1 << CMD_DELETE = 16; INSTEAD OF triggers count
  CASE
    WHEN c.relkind IN ('r', 'p') THEN 28
    WHEN c.relkind IN ('v', 'f') THEN pg_catalog.pg_relation_is_updatable(c.oid, true)
    ELSE 0
  END
FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_depend member
  ON member.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
  AND member.refobjid = n.oid
  AND member.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
JOIN pg_catalog.pg_class c ON c.oid = member.objid
LEFT JOIN pg_catalog.pg_description comment
  ON comment.objoid = c.oid
  AND comment.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
  AND comment.objsubid = 0
WHERE n.nspname = ANY ($1::pg_catalog.text[])
  AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
  AND NOT c.relispartition
ORDER BY n.nspname, c.relname
`;
