import { arrayLiteral, type SqlStatement } from '../../platform/sql.ts';

/**
 * One row a view or materialized view: oid, its defining query as a node tree.
 *
 * @param physicalSchemas exposed schemas and those of the extra search path
 */
export function viewRulesQuery(physicalSchemas: readonly string[]): SqlStatement {
  return { text: VIEW_RULES_SQL, values: [arrayLiteral(physicalSchemas)] };
}

// ev_type '1' is the ON SELECT rule, which every view has exactly once.
const VIEW_RULES_SQL = /* SQL */ `
SELECT
  c.oid,
  r.ev_action
FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_depend member
  ON member.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
  AND member.refobjid = n.oid
  AND member.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
JOIN pg_catalog.pg_class c ON c.oid = member.objid
JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid
WHERE n.nspname = ANY ($1::pg_catalog.text[])
  AND c.relkind IN ('v', 'm')
  AND r.ev_type = '1'
`;
