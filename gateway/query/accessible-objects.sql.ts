import { GatewayError } from '../errors/gateway-error.ts';
import type { StatementResult } from '../platform/result-set.ts';
import type { SqlStatement } from '../platform/sql.ts';
import { relationKey } from '../schema-cache/schema-cache.ts';

/** What a role may use. Keys: `relationKey(physical schema, name)`; overloads of a routine together. */
export interface AccessibleObjects {
  readonly relations: ReadonlySet<string>;
  readonly routines: ReadonlySet<string>;
}

/**
 * Asks what the current role may use in these schemas: relations with SELECT, INSERT, UPDATE or DELETE on them or on a column of
 * theirs, and functions with EXECUTE; nothing of a schema without USAGE. The answer is one row of one column, to be read with
 * `parseAccessibleObjects`.
 */
export function accessibleObjectsStatement(physicalSchemas: readonly string[]): SqlStatement {
  return { text: ACCESSIBLE_OBJECTS_SQL, values: [JSON.stringify(physicalSchemas)] };
}

// Objects are found through pg_depend, which has an index on what is depended upon; pg_class and pg_proc have none that
// begins with the schema, and a shared database holds every tenant's objects.
const ACCESSIBLE_OBJECTS_SQL = /* SQL */ `
WITH member AS (
  SELECT n.nspname, d.classid, d.objid
  FROM pg_catalog.pg_namespace n
  JOIN pg_catalog.pg_depend d
    ON d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
    AND d.refobjid = n.oid
    AND d.classid IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass)
  WHERE n.nspname IN (SELECT pg_catalog.json_array_elements_text($1::pg_catalog.json))
    AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
)
SELECT pg_catalog.json_build_object(
  'relations', (
    SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(m.nspname, c.relname)), '[]')
    FROM member m
    JOIN pg_catalog.pg_class c ON c.oid = m.objid
    WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
      AND (
        pg_catalog.pg_has_role(c.relowner, 'USAGE')
        OR pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE')
        OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE')
      )
  ),
  'routines', (
    SELECT coalesce(pg_catalog.json_agg(DISTINCT pg_catalog.jsonb_build_array(m.nspname, p.proname)), '[]')
    FROM member m
    JOIN pg_catalog.pg_proc p ON p.oid = m.objid
    WHERE m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
      AND p.prokind = 'f'
      AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
  )
)::pg_catalog.text
`;

type Names = readonly (readonly [schema: string, name: string])[];

/** @throws {GatewayError} PGRSTX00 when the answer is not of the statement's form */
export function parseAccessibleObjects(result: StatementResult | undefined): AccessibleObjects {
  const text = result?.rows[0]?.[0];
  if (typeof text !== 'string') throw new GatewayError('PGRSTX00');
  const { relations, routines } = JSON.parse(text) as { readonly relations: Names; readonly routines: Names };
  return { relations: keysOf(relations), routines: keysOf(routines) };
}

function keysOf(names: Names): ReadonlySet<string> {
  return new Set(names.map(([schema, name]) => relationKey(schema, name)));
}
