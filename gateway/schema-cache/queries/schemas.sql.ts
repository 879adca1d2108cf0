import { arrayLiteral, type SqlStatement } from '../../platform/sql.ts';

/** One row a schema asked for, there or not: name, comment, `server_version_num`. */
export function schemasQuery(physicalSchemas: readonly string[]): SqlStatement {
  return { text: SCHEMAS_SQL, values: [arrayLiteral(physicalSchemas)] };
}

const SCHEMAS_SQL = /* SQL */ `
SELECT
  wanted.name,
  pg_catalog.obj_description(n.oid, 'pg_namespace'),
  pg_catalog.current_setting('server_version_num')
FROM pg_catalog.unnest($1::pg_catalog.text[]) AS wanted (name)
LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.name
`;
