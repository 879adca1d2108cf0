import type { BodyHandler } from '../plan/action-plan.ts';
import { isBinaryBody } from '../plan/binary-body.ts';
import { ident, raw, type SqlFragment, sql } from '../platform/sql.ts';
import type { RelationRef, RoutineReturn } from '../schema-cache/schema-cache.ts';
import { featureText, headText, type KeyedRows, objectText } from './keyed-json.ts';
import type { OutputNames, ShownColumn } from './output-names.ts';

/** Alias of the rows that a body is made of. */
export const ROWS = raw('_postgrest_t');

/** Shape of the rows a body is made from: plain rows, or what a routine returns. */
export type RowShape =
  /** `areSource`: they are those of `pgrst_source`. */
  | { readonly kind: 'rows'; readonly areSource: boolean }
  | { readonly kind: 'routine'; readonly returns: RoutineReturn };

/** Keys for columns with neutral names. */
export interface BodyKeys {
  readonly columns: readonly ShownColumn[];
  readonly names: OutputNames;
}

/**
 * The expression that aggregates the rows into the response body. Rows go through `json_agg` as PostgREST's do, so that
 * the bytes are the same (M10).
 *
 * @param keys of rows whose columns have neutral names: the same bytes are put together from parameters
 */
export function bodySql(handler: BodyHandler, shape: RowShape, keys?: BodyKeys): SqlFragment {
  const isBinary = isBinaryBody(handler, shape.kind === 'routine' ? shape.returns : undefined);
  if (handler.kind === 'routine') return routineBody(isBinary);
  if (handler.kind === 'aggregate') {
    const { aggregate, relation } = handler.handler;
    const name = ident(aggregate.physicalSchema, aggregate.name);
    const body = sql`${name}(${aggregated(relation, shape)})`;
    return isBinary ? base64(body) : shown(body);
  }
  const { media } = handler;
  const keyed = keys && { rows: ROWS, ...keys };
  switch (media.kind) {
    case 'csv':
      return csv(shape.kind === 'rows' && shape.areSource ? keys?.columns : undefined);
    case 'geojson':
      if (keyed !== undefined) return featuresOf(keyed);
      return raw(
        `json_build_object('type', 'FeatureCollection', 'features', coalesce(json_agg(ST_AsGeoJSON(_postgrest_t)::json), '[]'))::text`,
      );
    case 'object':
      return json(shape, { isObject: true, nullsStripped: media.nullsStripped, keyed });
    case 'array':
      return json(shape, { isObject: false, nullsStripped: media.nullsStripped, keyed });
    default:
      return json(shape, { isObject: false, nullsStripped: false, keyed });
  }
}

const SCALAR = sql`${ROWS}.pgrst_scalar`;

/** What an aggregate is given: rows of the type it takes, or what a routine returned. */
function aggregated(relation: RelationRef | undefined, shape: RowShape): SqlFragment {
  if (relation !== undefined) return sql`${ROWS}::${ident(relation.physicalSchema, relation.name)}`;
  return shape.kind === 'routine' && shape.returns.kind === 'scalar' ? SCALAR : ROWS;
}

/** The only row's value. */
function routineBody(isBinary: boolean): SqlFragment {
  return isBinary ? sql`pg_catalog.min(${base64(SCALAR)})` : shown(sql`(pg_catalog.array_agg(${SCALAR}))[1]`);
}

/** What a type shows of itself, NULL as nothing. A cast to text would not give that: xml leaves out an empty first line. */
function shown(value: SqlFragment): SqlFragment {
  return sql`pg_catalog.concat(${value})`;
}

/** Rows travel as text, in which bytes would be doubled and written as the role's `bytea_output` says: base64 is a third more. */
function base64(value: SqlFragment): SqlFragment {
  return sql`pg_catalog.encode(${value}::bytea, 'base64')`;
}

interface JsonForm {
  readonly isObject: boolean;
  readonly nullsStripped: boolean;
  readonly keyed: KeyedRows | undefined;
}

function json(shape: RowShape, { isObject, nullsStripped, keyed }: JsonForm): SqlFragment {
  const strip = (aggregated: string): string =>
    nullsStripped ? `json_strip_nulls(${aggregated})` : aggregated;
  if (shape.kind === 'routine') {
    const { returns } = shape;
    const isScalar = returns.kind === 'scalar' || returns.kind === 'void';
    const rows = isScalar ? '_postgrest_t.pgrst_scalar' : '_postgrest_t';
    if (!returns.isSet) {
      if (keyed !== undefined && !isScalar) return keyedJson(keyed, { isObject: true, nullsStripped });
      return raw(`coalesce(${strip(`json_agg(${rows})->0`)}, 'null')`);
    }
    // An object made of one of several scalars keeps the name of their column.
    if (isScalar && !isObject) return raw(`coalesce(${strip(`json_agg(${rows})`)}, '[]')`);
  }
  if (keyed !== undefined) return keyedJson(keyed, { isObject, nullsStripped });
  return isObject
    ? raw(`coalesce(${strip('json_agg(_postgrest_t)->0')}, 'null')`)
    : raw(`coalesce(${strip('json_agg(_postgrest_t)')}, '[]')`);
}

/** What `json_agg` puts between two rows. */
const BETWEEN_ROWS = raw(`E', \\n '`);

function keyedJson(
  keyed: KeyedRows,
  { isObject, nullsStripped }: Pick<JsonForm, 'isObject' | 'nullsStripped'>,
): SqlFragment {
  const row = objectText(keyed);
  const strip = (json: SqlFragment): SqlFragment =>
    nullsStripped ? sql`json_strip_nulls(${json}::json)::text` : json;
  if (isObject) return sql`coalesce(${strip(sql`(pg_catalog.array_agg(${row}))[1]`)}, 'null')`;
  return sql`coalesce(${strip(sql`('[' || pg_catalog.string_agg(${row}, ${BETWEEN_ROWS}) || ']')`)}, '[]')`;
}

function featuresOf(keyed: KeyedRows): SqlFragment {
  return sql`json_build_object('type', 'FeatureCollection', 'features', coalesce(json_agg(${featureText(keyed)}::json), '[]'))::text`;
}

/** Header from the first row's keys, then each row as PostgreSQL writes a record, without its parentheses (M4). */
function csv(keys: readonly ShownColumn[] | undefined): SqlFragment {
  const head =
    keys === undefined
      ? raw(
          `SELECT coalesce(pg_catalog.string_agg(header.name, ','), '') FROM (SELECT json_object_keys(first_row.json)::text AS name FROM (SELECT row_to_json(source) AS json FROM pgrst_source AS source LIMIT 1) AS first_row) AS header`,
        )
      : sql`SELECT coalesce((SELECT ${headText(keys)}::text FROM pgrst_source LIMIT 1), '')`;
  return sql`(${head}) || ${raw(`E'\\n' || coalesce(pg_catalog.string_agg(substring(_postgrest_t::text, 2, length(_postgrest_t::text) - 2), E'\\n'), '')`)}`;
}
