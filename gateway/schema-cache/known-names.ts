import type { StatementResult } from '../platform/result-set.ts';
import { readText } from './row-reader.ts';
import type { KnownNames } from './schema-cache.ts';

const words = (text: string): readonly string[] => text.split(' ');

/** Names that a row has without being its columns: PostgreSQL's own columns, its functions of any row, and ours. */
const ROW_NAMES: ReadonlySet<string> = new Set([
  ...words('* tableoid cmax xmax cmin xmin ctid pgrst_scalar pgrst_call'),
  ...words(
    'any_out anycompatible_out anycompatiblenonarray_out anyelement_out anynonarray_out concat hash_record',
  ),
  ...words(
    'hash_record_extended json_build_array json_build_object jsonb_build_array jsonb_build_object num_nonnulls',
  ),
  ...words(
    'num_nulls pg_collation_for pg_column_compression pg_column_size pg_column_toast_chunk_id pg_typeof',
  ),
  ...words('quote_literal quote_nullable record_out record_send row_to_json to_json to_jsonb'),
  // Aggregates: `select=count` was how rows were counted before `count()`.
  ...words('any_value array_agg count cume_dist dense_rank json_agg json_agg_strict jsonb_agg'),
  ...words('jsonb_agg_strict max min mode percent_rank rank'),
]);

/** PostgreSQL's own types. What they are in its grammar (`integer`) is in `type-name.ts`. */
const TYPE_NAMES: ReadonlySet<string> = new Set([
  ...words(
    'aclitem any anyarray anycompatible anycompatiblearray anycompatiblemultirange anycompatiblenonarray',
  ),
  ...words(
    'anycompatiblerange anyelement anyenum anymultirange anynonarray anyrange bit bool box bpchar bytea char',
  ),
  ...words(
    'cid cidr circle cstring date datemultirange daterange event_trigger fdw_handler float4 float8 gtsvector',
  ),
  ...words(
    'index_am_handler inet int2 int2vector int4 int4multirange int4range int8 int8multirange int8range internal',
  ),
  ...words(
    'interval json jsonb jsonpath language_handler line lseg macaddr macaddr8 money name numeric nummultirange',
  ),
  ...words('numrange oid oidvector path pg_brin_bloom_summary pg_brin_minmax_multi_summary pg_ddl_command'),
  ...words(
    'pg_dependencies pg_lsn pg_mcv_list pg_ndistinct pg_node_tree pg_snapshot point polygon record refcursor',
  ),
  ...words(
    'regclass regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure regrole',
  ),
  ...words(
    'regtype table_am_handler text tid time timestamp timestamptz timetz trigger tsm_handler tsmultirange tsquery',
  ),
  ...words(
    'tsrange tstzmultirange tstzrange tsvector txid_snapshot unknown uuid varbit varchar void xid xid8 xml',
  ),
]);

export function knownNamesFromRows({ rows }: StatementResult): KnownNames {
  const functions = new Set<string>();
  const types = new Set<string>();
  for (const row of rows) (readText(row, 0) === 'f' ? functions : types).add(readText(row, 1));
  return { functions, types };
}

/** Whether a row that has no such column may answer to the name nevertheless: a function of it, or what every row has. */
export function isNameOfRows({ functions }: KnownNames, name: string): boolean {
  return functions.has(name) || ROW_NAMES.has(name);
}

/** @param name as PostgreSQL reads it; `_x` is what it calls arrays of `x` */
export function isNameOfType({ types }: KnownNames, name: string): boolean {
  const isKnown = (known: string): boolean => types.has(known) || TYPE_NAMES.has(known);
  return isKnown(name) || (name.startsWith('_') && isKnown(name.slice(1)));
}
