import type { BodyHandler } from '../plan/action-plan.ts';
import { isBinaryBody } from '../plan/binary-body.ts';
import { ident, raw, type SqlFragment, sql } from '../platform/sql.ts';
import type { RelationRef, RoutineReturn } from '../schema-cache/schema-cache.ts';

/** Alias of the rows that a body is made of. */
export const ROWS = raw('_postgrest_t');

/** Shape of the rows a body is made from: plain rows, or what a routine returns. */
export type RowShape =
  | { readonly kind: 'rows' }
  | { readonly kind: 'routine'; readonly returns: RoutineReturn };

/**
 * The expression that aggregates the rows into the response body. Rows go through `json_agg` as PostgREST's do, so that
 * the bytes are the same (M10).
 */
export function bodySql(handler: BodyHandler, shape: RowShape): SqlFragment {
  const isBinary = isBinaryBody(handler, shape.kind === 'routine' ? shape.returns : undefined);
  if (handler.kind === 'routine') return routineBody(isBinary);
  if (handler.kind === 'aggregate') {
    const { aggregate, relation } = handler.handler;
    const name = ident(aggregate.physicalSchema, aggregate.name);
    const body = sql`${name}(${aggregated(relation, shape)})`;
    return isBinary ? base64(body) : shown(body);
  }
  const { media } = handler;
  switch (media.kind) {
    case 'csv':
      return csv();
    case 'geojson':
      return raw(
        `json_build_object('type', 'FeatureCollection', 'features', coalesce(json_agg(ST_AsGeoJSON(_postgrest_t)::json), '[]'))::text`,
      );
    case 'object':
      return json(shape, { isObject: true, nullsStripped: media.nullsStripped });
    case 'array':
      return json(shape, { isObject: false, nullsStripped: media.nullsStripped });
    default:
      return json(shape, { isObject: false, nullsStripped: false });
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

function json(
  shape: RowShape,
  { isObject, nullsStripped }: { readonly isObject: boolean; readonly nullsStripped: boolean },
): SqlFragment {
  const strip = (aggregated: string): string =>
    nullsStripped ? `json_strip_nulls(${aggregated})` : aggregated;
  if (shape.kind === 'routine') {
    const { returns } = shape;
    const isScalar = returns.kind === 'scalar' || returns.kind === 'void';
    const rows = isScalar ? '_postgrest_t.pgrst_scalar' : '_postgrest_t';
    if (!returns.isSet) return raw(`coalesce(${strip(`json_agg(${rows})->0`)}, 'null')`);
    // An object made of one of several scalars keeps the name of their column.
    if (isScalar && !isObject) return raw(`coalesce(${strip(`json_agg(${rows})`)}, '[]')`);
  }
  return isObject
    ? raw(`coalesce(${strip('json_agg(_postgrest_t)->0')}, 'null')`)
    : raw(`coalesce(${strip('json_agg(_postgrest_t)')}, '[]')`);
}

/** Header from the first row's keys, then each row as PostgreSQL writes a record, without its parentheses (M4). */
function csv(): SqlFragment {
  return raw(
    `(SELECT coalesce(pg_catalog.string_agg(header.name, ','), '') FROM (SELECT json_object_keys(first_row.json)::text AS name FROM (SELECT row_to_json(source) AS json FROM pgrst_source AS source LIMIT 1) AS first_row) AS header) || E'\\n' || coalesce(pg_catalog.string_agg(substring(_postgrest_t::text, 2, length(_postgrest_t::text) - 2), E'\\n'), '')`,
  );
}
