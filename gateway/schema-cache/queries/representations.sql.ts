import { arrayLiteral, type SqlStatement } from '../../platform/sql.ts';

/** One row an implicit cast by function between a column's domain and json or text: source type, target type, function. */
export function representationsQuery(physicalSchemas: readonly string[]): SqlStatement {
  return { text: REPRESENTATIONS_SQL, values: [arrayLiteral(physicalSchemas)] };
}

// pg_cast belongs to no schema and holds all tenants' casts. Only casts of domains that are the type of an exposed column
// can ever apply, and both directions are in its index (castsource, casttarget).
const REPRESENTATIONS_SQL = /* SQL */ `
WITH domain AS MATERIALIZED (
  SELECT DISTINCT t.oid
  FROM pg_catalog.pg_namespace n
  JOIN pg_catalog.pg_depend member
    ON member.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
    AND member.refobjid = n.oid
    AND member.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  JOIN pg_catalog.pg_attribute a ON a.attrelid = member.objid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typtype = 'd'
  WHERE n.nspname = ANY ($1::pg_catalog.text[])
),
plain (oid) AS (
  VALUES ('pg_catalog.json'::pg_catalog.regtype::pg_catalog.oid), ('pg_catalog.text'::pg_catalog.regtype::pg_catalog.oid)
),
direction AS (
  SELECT domain.oid AS source, plain.oid AS target FROM domain CROSS JOIN plain
  UNION ALL
  SELECT plain.oid, domain.oid FROM domain CROSS JOIN plain
)
SELECT
  pg_catalog.format_type(c.castsource, NULL),
  pg_catalog.format_type(c.casttarget, NULL),
  pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(p.proname)
FROM direction
JOIN pg_catalog.pg_cast c ON c.castsource = direction.source AND c.casttarget = direction.target
JOIN pg_catalog.pg_proc p ON p.oid = c.castfunc
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE c.castcontext = 'i'
  AND c.castmethod = 'f'
ORDER BY 1, 2
`;
