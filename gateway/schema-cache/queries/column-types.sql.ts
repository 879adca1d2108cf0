import { arrayLiteral, type SqlStatement } from '../../platform/sql.ts';

/**
 * One row a type with its modifier that some column has: oid, modifier, base type, declared type, maximum length, default of a domain, is a
 * domain that forbids NULL, enum labels (JSON), implicit casts by function between the domain and json or text (JSON: source type, target
 * type, function).
 */
export function columnTypesQuery(physicalSchemas: readonly string[]): SqlStatement {
  return { text: COLUMN_TYPES_SQL, values: [arrayLiteral(physicalSchemas)] };
}

// Types are looked at once each, not once a column: a catalog has few types and many columns. pg_cast belongs to no schema and holds all
// tenants' casts; only casts of domains that are a column's type can ever apply, and both directions are in its index.
const COLUMN_TYPES_SQL = /* SQL */ `
WITH used AS MATERIALIZED (
  SELECT DISTINCT a.atttypid, a.atttypmod
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
)
SELECT
  t.oid,
  t.modifier,
  CASE
    WHEN t.typtype = 'd' AND base.typnamespace = 11 THEN pg_catalog.format_type(base.oid, NULL)
    WHEN t.typtype <> 'd' AND t.typnamespace = 11 THEN pg_catalog.format_type(t.oid, NULL)
    ELSE pg_catalog.format_type(t.oid, t.modifier)
  END,
  pg_catalog.format_type(t.oid, t.modifier),
  CASE
    WHEN t.true_modifier = -1 THEN NULL
    -- bpchar and varchar count four bytes of header, bit and varbit none
    WHEN t.true_type IN (1042, 1043) THEN t.true_modifier - 4
    WHEN t.true_type IN (1560, 1562) THEN t.true_modifier
  END,
  CASE WHEN t.typtype = 'd' THEN pg_catalog.pg_get_expr(t.typdefaultbin, 0) END,
  t.typtype = 'd' AND t.typnotnull,
  (
    SELECT pg_catalog.json_agg(e.enumlabel ORDER BY e.enumsortorder)
    FROM pg_catalog.pg_enum e
    WHERE e.enumtypid = COALESCE(base.oid, t.oid)
  ),
  CASE WHEN t.typtype = 'd' THEN (
    SELECT pg_catalog.json_agg(
      pg_catalog.json_build_array(
        pg_catalog.format_type(k.castsource, NULL),
        pg_catalog.format_type(k.casttarget, NULL),
        pg_catalog.quote_ident(pn.nspname) || '.' || pg_catalog.quote_ident(p.proname)
      )
    )
    -- json and text
    FROM (VALUES (t.oid, 114), (t.oid, 25), (114, t.oid), (25, t.oid)) AS direction (source, target)
    JOIN pg_catalog.pg_cast k ON k.castsource = direction.source AND k.casttarget = direction.target
    JOIN pg_catalog.pg_proc p ON p.oid = k.castfunc
    JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
    WHERE k.castcontext = 'i'
      AND k.castmethod = 'f'
  ) END
FROM (
  SELECT
    t.oid, t.typtype, t.typnamespace, t.typnotnull, t.typdefaultbin, t.typbasetype, used.atttypmod AS modifier,
    CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END AS true_type,
    CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE used.atttypmod END AS true_modifier
  FROM used
  JOIN pg_catalog.pg_type t ON t.oid = used.atttypid
) t
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
`;
