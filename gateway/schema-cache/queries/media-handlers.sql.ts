import { arrayLiteral, type SqlStatement } from '../../platform/sql.ts';

/**
 * One row an aggregate that makes a domain named like a media type: schema, name, domain's name, relation whose rows it
 * takes (oid; NULL for `anyelement`), makes bytes.
 */
export function mediaHandlersQuery(physicalSchemas: readonly string[]): SqlStatement {
  return { text: MEDIA_HANDLERS_SQL, values: [arrayLiteral(physicalSchemas)] };
}

const MEDIA_HANDLERS_SQL = /* SQL */ `
SELECT
  n.nspname,
  p.proname,
  media.typname,
  NULLIF(arg.typrelid, 0),
  -- a domain has the output function of the type behind it
  media.typoutput = 'pg_catalog.byteaout'::pg_catalog.regproc
FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_depend member
  ON member.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
  AND member.refobjid = n.oid
  AND member.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
JOIN pg_catalog.pg_proc p ON p.oid = member.objid
JOIN pg_catalog.pg_type media ON media.oid = p.prorettype
JOIN pg_catalog.pg_type arg ON arg.oid = p.proargtypes[0]
WHERE n.nspname = ANY ($1::pg_catalog.text[])
  AND p.prokind = 'a'
  AND p.pronargs = 1
  AND media.typtype = 'd'
  AND media.typname LIKE '%/%'
  AND (arg.typrelid <> 0 OR arg.oid = 'pg_catalog.anyelement'::pg_catalog.regtype)
ORDER BY n.nspname, p.proname, arg.oid
`;
