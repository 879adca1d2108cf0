import { arrayLiteral, type SqlStatement } from '../../platform/sql.ts';

/**
 * One row a column, by relation and position: relation's oid, attnum, name, comment, is nullable, base type, declared type,
 * maximum length, default, is generated, enum labels (JSON).
 */
export function columnsQuery(physicalSchemas: readonly string[]): SqlStatement {
  return { text: COLUMNS_SQL, values: [arrayLiteral(physicalSchemas)] };
}

// Types are looked at once each, not once a column: a catalog has few types and many columns.
const COLUMNS_SQL = /* SQL */ `
WITH attribute AS MATERIALIZED (
  SELECT
    a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.atthasdef, a.attidentity, a.attgenerated
  FROM pg_catalog.pg_namespace n
  JOIN pg_catalog.pg_depend member
    ON member.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
    AND member.refobjid = n.oid
    AND member.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  JOIN pg_catalog.pg_class c ON c.oid = member.objid
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
  WHERE n.nspname = ANY ($1::pg_catalog.text[])
    AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
    AND NOT c.relispartition
    AND a.attnum > 0
    AND NOT a.attisdropped
),
column_type AS MATERIALIZED (
  SELECT
    t.oid,
    t.typtype,
    t.typnotnull,
    t.typdefaultbin,
    t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AS is_builtin,
    CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END AS true_type,
    t.typtypmod,
    base.oid AS base_type,
    base.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AS is_base_builtin,
    (
      SELECT pg_catalog.json_agg(e.enumlabel ORDER BY e.enumsortorder)
      FROM pg_catalog.pg_enum e
      WHERE e.enumtypid = COALESCE(base.oid, t.oid)
    ) AS labels
  FROM (SELECT DISTINCT atttypid FROM attribute) used
  JOIN pg_catalog.pg_type t ON t.oid = used.atttypid
  -- what a domain stands for, through domains over domains
  LEFT JOIN LATERAL (
    WITH RECURSIVE chain (oid) AS (
      SELECT t.typbasetype WHERE t.typtype = 'd'
      UNION ALL
      SELECT b.typbasetype FROM chain JOIN pg_catalog.pg_type b ON b.oid = chain.oid WHERE b.typtype = 'd'
    )
    SELECT b.oid, b.typnamespace
    FROM chain JOIN pg_catalog.pg_type b ON b.oid = chain.oid
    WHERE b.typtype <> 'd'
  ) base ON true
)
SELECT
  a.attrelid,
  a.attnum,
  a.attname,
  comment.description,
  NOT (a.attnotnull OR t.typtype = 'd' AND t.typnotnull),
  CASE
    WHEN t.typtype = 'd' AND t.is_base_builtin THEN pg_catalog.format_type(t.base_type, NULL)
    WHEN t.typtype <> 'd' AND t.is_builtin THEN pg_catalog.format_type(a.atttypid, NULL)
    ELSE pg_catalog.format_type(a.atttypid, a.atttypmod)
  END,
  pg_catalog.format_type(a.atttypid, a.atttypmod),
  CASE
    WHEN true_typmod.value = -1 THEN NULL
    -- bpchar and varchar count four bytes of header, bit and varbit none
    WHEN t.true_type IN (1042, 1043) THEN true_typmod.value - 4
    WHEN t.true_type IN (1560, 1562) THEN true_typmod.value
  END,
  CASE
    WHEN a.attgenerated <> '' THEN NULL
    WHEN t.typtype = 'd' AND NOT a.atthasdef AND a.attidentity = '' THEN pg_catalog.pg_get_expr(t.typdefaultbin, 0)
    WHEN a.attidentity = 'd' THEN (
      SELECT pg_catalog.format('nextval(%L)', seq.objid::pg_catalog.regclass)
      FROM pg_catalog.pg_depend seq
      WHERE seq.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND seq.refobjid = a.attrelid
        AND seq.refobjsubid = a.attnum
        AND seq.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND seq.deptype = 'i'
      LIMIT 1
    )
    WHEN a.atthasdef THEN (
      SELECT pg_catalog.pg_get_expr(ad.adbin, ad.adrelid)
      FROM pg_catalog.pg_attrdef ad
      WHERE ad.adrelid = a.attrelid AND ad.adnum = a.attnum
    )
  END,
  a.attgenerated <> '',
  t.labels
FROM attribute a
JOIN column_type t ON t.oid = a.atttypid
CROSS JOIN LATERAL (
  SELECT CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS value
) true_typmod
LEFT JOIN pg_catalog.pg_description comment
  ON comment.objoid = a.attrelid
  AND comment.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
  AND comment.objsubid = a.attnum
ORDER BY a.attrelid, a.attnum
`;
