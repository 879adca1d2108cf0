import { arrayLiteral, type SqlStatement } from '../../platform/sql.ts';

/**
 * One row a function: schema, name, comment, input parameters (JSON: `[name, type, cast type, is required, is variadic]`),
 * is set, returns one row at most, return type, its name, kind of the type behind its domains, that type's
 * relation (oid or 0), has OUT or TABLE parameters, volatility, is variadic, `proconfig` (JSON or NULL), relation of the
 * only parameter's row type (oid or NULL), returns bytes or a domain over them, names of the columns it returns (JSON; NULL
 * for those of a relation in the schemas).
 */
export function routinesQuery(physicalSchemas: readonly string[]): SqlStatement {
  return { text: ROUTINES_SQL, values: [arrayLiteral(physicalSchemas)] };
}

const ROUTINES_SQL = /* SQL */ `
WITH routine AS MATERIALIZED (
  SELECT n.nspname, p.*
  FROM pg_catalog.pg_namespace n
  JOIN pg_catalog.pg_depend member
    ON member.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
    AND member.refobjid = n.oid
    AND member.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  JOIN pg_catalog.pg_proc p ON p.oid = member.objid
  WHERE n.nspname = ANY ($1::pg_catalog.text[])
    AND p.prokind = 'f'
    AND p.prorettype NOT IN (
      'pg_catalog.trigger'::pg_catalog.regtype,
      'pg_catalog.event_trigger'::pg_catalog.regtype
    )
),
return_type AS MATERIALIZED (
  SELECT
    t.oid,
    t.typname,
    -- a domain has the output function of the type behind it
    t.typoutput = 'pg_catalog.byteaout'::pg_catalog.regproc AS is_binary,
    COALESCE(base.typtype, t.typtype) AS base_kind,
    COALESCE(base.typrelid, t.typrelid) AS base_relation,
    (
      SELECT pg_catalog.json_agg(a.attname ORDER BY a.attnum)
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE c.oid = COALESCE(base.typrelid, t.typrelid)
        AND (c.relkind = 'c' OR c.relispartition OR cn.nspname <> ALL ($1::pg_catalog.text[]))
    ) AS columns
  FROM (SELECT DISTINCT prorettype FROM routine) used
  JOIN pg_catalog.pg_type t ON t.oid = used.prorettype
  LEFT JOIN LATERAL (
    WITH RECURSIVE chain (oid) AS (
      SELECT t.typbasetype WHERE t.typtype = 'd'
      UNION ALL
      SELECT b.typbasetype FROM chain JOIN pg_catalog.pg_type b ON b.oid = chain.oid WHERE b.typtype = 'd'
    )
    SELECT b.typtype, b.typrelid
    FROM chain JOIN pg_catalog.pg_type b ON b.oid = chain.oid
    WHERE b.typtype <> 'd'
  ) base ON true
)
SELECT
  p.nspname,
  p.proname,
  comment.description,
  COALESCE((
    SELECT pg_catalog.json_agg(
      pg_catalog.json_build_array(
        COALESCE(input.name, ''),
        pg_catalog.format_type(input.type, NULL),
        -- without a length bit and character mean one of them; their varying forms take any
        CASE input.type
          WHEN 1560 THEN 'bit varying'
          WHEN 1561 THEN 'bit varying[]'
          WHEN 1042 THEN 'character varying'
          WHEN 1014 THEN 'character varying[]'
          ELSE pg_catalog.format_type(input.type, NULL)
        END,
        input.position <= p.pronargs - p.pronargdefaults,
        input.is_variadic
      )
      ORDER BY input.position
    )
    FROM (
      SELECT
        arg.name,
        arg.type,
        COALESCE(arg.mode = 'v', false) AS is_variadic,
        pg_catalog.row_number() OVER (ORDER BY arg.ordinal) AS position
      -- proallargtypes is there only if some argument is not IN
      FROM ROWS FROM (
        pg_catalog.unnest(COALESCE(p.proallargtypes, p.proargtypes::pg_catalog.oid[])),
        pg_catalog.unnest(p.proargnames),
        pg_catalog.unnest(p.proargmodes)
      ) WITH ORDINALITY AS arg (type, name, mode, ordinal)
      WHERE arg.mode IS NULL OR arg.mode IN ('i', 'b', 'v')
    ) input
  ), '[]'),
  p.proretset,
  NOT p.proretset OR p.prorows = 1,
  pg_catalog.format_type(p.prorettype, NULL),
  t.typname,
  t.base_kind,
  t.base_relation,
  COALESCE(p.proargmodes::pg_catalog.text[] && '{t,b,o}', false),
  p.provolatile,
  p.provariadic <> 0,
  pg_catalog.array_to_json(p.proconfig),
  CASE WHEN p.pronargs = 1 THEN (
    SELECT NULLIF(arg_type.typrelid, 0) FROM pg_catalog.pg_type arg_type WHERE arg_type.oid = p.proargtypes[0]
  ) END,
  t.is_binary,
  CASE WHEN p.proargmodes::pg_catalog.text[] && '{t,b,o}' THEN (
    -- one without a name is called after its place among them
    SELECT pg_catalog.json_agg(COALESCE(NULLIF(result.name, ''), 'column' || result.position) ORDER BY result.position)
    FROM (
      SELECT arg.name, pg_catalog.row_number() OVER (ORDER BY arg.ordinal) AS position
      FROM ROWS FROM (pg_catalog.unnest(p.proargnames), pg_catalog.unnest(p.proargmodes))
        WITH ORDINALITY AS arg (name, mode, ordinal)
      WHERE arg.mode IN ('t', 'b', 'o')
    ) result
  ) ELSE t.columns END
FROM routine p
JOIN return_type t ON t.oid = p.prorettype
LEFT JOIN pg_catalog.pg_description comment
  ON comment.objoid = p.oid
  AND comment.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  AND comment.objsubid = 0
`;
