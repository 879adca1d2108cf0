import { arrayLiteral, type SqlStatement } from '../../platform/sql.ts';

/**
 * One row a relation with all of its columns: oid, schema, name, relkind, bit mask of the commands it takes, comments (JSON: attnum →
 * text, 0 for the relation's own), and of the columns by attnum, from 1 without gaps: names (JSON; null for one that was dropped), oids of
 * their types, type modifiers, flags (arrays in PostgreSQL's form); defaults and sequences of identities (JSON: attnum → expression).
 * Flags: 1 is NOT NULL, 2 is generated, 4 has an identity that can be given. Partitions are left out.
 */
export function relationsQuery(physicalSchemas: readonly string[]): SqlStatement {
  return { text: RELATIONS_SQL, values: [arrayLiteral(physicalSchemas)] };
}

// pg_class has no index on relnamespace. pg_depend does have one on what is depended upon, and every relation depends on
// its schema, so the members of a schema are found there: other tenants' thousands of relations are never read.
// What belongs to a relation is aggregated relation by relation, each time by one scan of an index that has it together, instead of being
// joined column by column. Only generated columns' expressions name columns, and need their relation to be spelt.
const RELATIONS_SQL = /* SQL */ `
SELECT
  c.oid,
  c.nspname,
  c.relname,
  c.relkind,
  -- 1 << CMD_INSERT = 8, 1 << CMD_UPDATE = 4, 1 << CMD_DELETE = 16; INSTEAD OF triggers count
  CASE
    WHEN c.relkind IN ('r', 'p') THEN 28
    WHEN c.relkind IN ('v', 'f') THEN pg_catalog.pg_relation_is_updatable(c.oid, true)
    ELSE 0
  END,
  (
    SELECT pg_catalog.json_object_agg(d.objsubid, d.description)
    FROM pg_catalog.pg_description d
    WHERE d.objoid = c.oid AND d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
  ),
  col.names,
  col.types,
  col.modifiers,
  col.flags,
  (
    SELECT pg_catalog.json_object_agg(
      ad.adnum,
      pg_catalog.pg_get_expr(ad.adbin, CASE WHEN col.all_flags & 2 = 2 THEN ad.adrelid ELSE 0 END)
    )
    FROM pg_catalog.pg_attrdef ad
    WHERE ad.adrelid = c.oid
  ),
  CASE WHEN col.all_flags & 4 = 4 THEN (
    SELECT pg_catalog.json_object_agg(
      seq.refobjsubid,
      pg_catalog.format('nextval(%L)', seq.objid::pg_catalog.regclass)
    )
    FROM pg_catalog.pg_depend seq
    WHERE seq.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND seq.refobjid = c.oid
      AND seq.refobjsubid > 0
      AND seq.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND seq.deptype = 'i'
  ) END
FROM (
  SELECT c.oid, n.nspname, c.relname, c.relkind
  FROM pg_catalog.pg_namespace n
  JOIN pg_catalog.pg_depend member
    ON member.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
    AND member.refobjid = n.oid
    AND member.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  JOIN pg_catalog.pg_class c ON c.oid = member.objid
  WHERE n.nspname = ANY ($1::pg_catalog.text[])
    AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
    AND NOT c.relispartition
  ORDER BY n.nspname, c.relname
) c
CROSS JOIN LATERAL (
  SELECT
    pg_catalog.json_agg(CASE WHEN NOT a.attisdropped THEN a.attname END) AS names,
    pg_catalog.array_agg(a.atttypid) AS types,
    pg_catalog.array_agg(a.atttypmod) AS modifiers,
    pg_catalog.array_agg(a.flags) AS flags,
    pg_catalog.bit_or(a.flags) AS all_flags
  FROM (
    SELECT
      a.attname, a.atttypid, a.atttypmod, a.attisdropped,
      CASE WHEN a.attnotnull THEN 1 ELSE 0 END
        + CASE WHEN a.attgenerated <> '' THEN 2 ELSE 0 END
        + CASE WHEN a.attidentity = 'd' THEN 4 ELSE 0 END AS flags
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0
    ORDER BY a.attnum
  ) a
) col
`;
