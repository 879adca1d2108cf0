import { quoteLiteral } from '../../gateway/platform/sql.ts';
import { FENCE_NAME } from '../ejection/fence.ts';

const acl = (column: string) =>
  `(SELECT string_agg(a::text, ' ' ORDER BY a::text COLLATE "C") FROM unnest(${column}) a)`;
const own = (column: string) =>
  `${column} IN (SELECT oid FROM pg_namespace WHERE nspname = ANY ($1::text[]))`;

/*
 * One line for each thing that is defined in the schemas $1, in a fixed order. The fence of a place that is being left is no definition of the tenant's.
 * `regclass` and the like are written with their schema, since the search path of the session is pg_catalog.
 */
export const DEFINITIONS: string = `
  SELECT concat_ws(' ', what, name, body) AS line FROM (
    SELECT 'schema' AS what, nspname::text AS name, concat_ws(' ', ${acl('nspacl')}, obj_description(oid, 'pg_namespace')) AS body
    FROM pg_namespace WHERE nspname = ANY ($1::text[])
    UNION ALL
    SELECT 'relation', c.oid::regclass::text, concat_ws(' ', c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity,
      c.relreplident, c.relispopulated, c.reloptions, c.reloftype::regtype, pg_get_userbyid(c.relowner), ${acl('c.relacl')},
      obj_description(c.oid, 'pg_class'), CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
      pg_get_expr(c.relpartbound, c.oid), CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END)
    FROM pg_class c WHERE ${own('c.relnamespace')} AND c.relkind <> 'i' AND c.relkind <> 'I'
    UNION ALL
    SELECT 'column', concat_ws('.', c.oid::regclass, a.attname), concat_ws(' ', a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull,
      a.attidentity, a.attgenerated, a.attcollation::regcollation, a.attstorage, pg_get_expr(d.adbin, d.adrelid),
      col_description(c.oid, a.attnum), ${acl('a.attacl')})
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE ${own('c.relnamespace')} AND c.relkind IN ('r', 'p', 'v', 'm', 'c', 'f')
    UNION ALL
    SELECT 'sequence', seqrelid::regclass::text, concat_ws(' ', seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle)
    FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid WHERE ${own('c.relnamespace')}
    UNION ALL
    SELECT 'constraint', concat_ws(' ', conname, conrelid::regclass, contypid::regtype), concat_ws(' ', pg_get_constraintdef(oid), convalidated,
      obj_description(oid, 'pg_constraint'))
    FROM pg_constraint WHERE ${own('connamespace')}
    UNION ALL
    SELECT 'index', i.indexrelid::regclass::text, concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered, i.indisreplident)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE ${own('c.relnamespace')}
    UNION ALL
    SELECT 'policy', concat_ws(' ', polname, polrelid::regclass), concat_ws(' ', polcmd, polpermissive, ARRAY(SELECT pg_get_userbyid(r) FROM unnest(polroles) r ORDER BY 1),
      pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    FROM pg_policy JOIN pg_class c ON c.oid = polrelid WHERE ${own('c.relnamespace')}
    UNION ALL
    SELECT 'routine', p.oid::regprocedure::text, concat_ws(' ', p.prokind, CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END,
      ${acl('p.proacl')}, obj_description(p.oid, 'pg_proc'))
    FROM pg_proc p WHERE ${own('p.pronamespace')}
    UNION ALL
    SELECT 'aggregate', a.aggfnoid::regprocedure::text, concat_ws(' ', a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggtranstype::regtype, a.agginitval)
    FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid WHERE ${own('p.pronamespace')}
    UNION ALL
    SELECT 'trigger', concat_ws(' ', t.tgname, t.tgrelid::regclass), concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE ${own('c.relnamespace')} AND NOT t.tgisinternal AND t.tgname <> ${quoteLiteral(FENCE_NAME)}
    UNION ALL
    SELECT 'rule', concat_ws(' ', r.rulename, r.ev_class::regclass), concat_ws(' ', pg_get_ruledef(r.oid), r.ev_enabled)
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class WHERE ${own('c.relnamespace')} AND r.rulename <> '_RETURN'
    UNION ALL
    SELECT 'type', t.oid::regtype::text, concat_ws(' ', t.typtype, t.typnotnull, t.typdefault, format_type(t.typbasetype, t.typtypmod), ${acl('t.typacl')},
      ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder), obj_description(t.oid, 'pg_type'))
    FROM pg_type t WHERE ${own('t.typnamespace')}
    UNION ALL
    SELECT 'statistics', stxname::text, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE ${own('stxnamespace')}
    UNION ALL
    SELECT 'default privileges', concat_ws(' ', defaclobjtype, pg_get_userbyid(defaclrole), defaclnamespace::regnamespace), ${acl('defaclacl')}
    FROM pg_default_acl WHERE ${own('defaclnamespace')}
  ) defined ORDER BY concat_ws(' ', what, name, body) COLLATE "C"`;

export const SEQUENCES: string = `
  SELECT format('%I.%I %s', schemaname, sequencename, last_value) AS line
  FROM pg_sequences WHERE schemaname = ANY ($1::text[]) ORDER BY schemaname COLLATE "C", sequencename COLLATE "C"`;
