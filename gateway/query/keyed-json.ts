import { joinSql, raw, type SqlFragment, sql } from '../platform/sql.ts';
import { keptName, type OutputNames, type ShownColumn, WHOLE_ROW } from './output-names.ts';

/** Rows of a level whose columns have neutral names, and the keys that the answer has for them. */
export interface KeyedRows {
  /** Alias of the rows. */
  readonly rows: SqlFragment;
  readonly columns: readonly ShownColumn[];
  readonly names: OutputNames;
}

/** PostgreSQL takes a hundred arguments in one call. */
const MAX_ARGUMENTS = 100;

/** A row as JSON text, byte for byte what `row_to_json` would write were the columns called by their keys. Keys are parameters. */
export function objectText({ rows, columns, names }: KeyedRows): SqlFragment {
  if (columns.length === 0) return raw(`'{}'`);
  const parts: SqlFragment[] = [];
  const nameOf = names.ofLevel();
  columns.forEach((key, index) => {
    const column = sql`${rows}.${nameOf(key)}`;
    const before = index === 0 ? '{' : ',';
    if (key === WHOLE_ROW) {
      const text = sql`${column}::text`;
      parts.push(raw(`'${before}'`), sql`pg_catalog.substr(${text}, 2, pg_catalog.length(${text}) - 2)`);
    } else {
      parts.push(sql`${`${before}${jsonKey(key)}:`}::text`);
      parts.push(sql`coalesce(pg_catalog.to_json(${column})::text, 'null')`);
    }
  });
  parts.push(raw(`'}'`));
  return concat(parts);
}

/** A row as `jsonb`, as `row_to_json(…)::jsonb` would be. */
export function objectJsonb({ rows, columns, names }: KeyedRows): SqlFragment {
  const objects: SqlFragment[] = [];
  const nameOf = names.ofLevel();
  let pairs: SqlFragment[] = [];
  const flush = (): void => {
    if (pairs.length > 0) objects.push(sql`pg_catalog.jsonb_build_object(${joinSql(pairs, ', ')})`);
    pairs = [];
  };
  for (const key of columns) {
    const column = sql`${rows}.${nameOf(key)}`;
    if (key === WHOLE_ROW) {
      flush();
      objects.push(sql`${column}::jsonb`);
      continue;
    }
    pairs.push(sql`${keptName(key)}::text, ${column}`);
    if (pairs.length * 2 === MAX_ARGUMENTS) flush();
  }
  flush();
  return objects.length === 0 ? raw(`'{}'::jsonb`) : sql`(${joinSql(objects, ' || ')})`;
}

/**
 * A row as a feature of GeoJSON. `ST_AsGeoJSON` names the properties after the row's columns; here their keys are put in place of these names.
 */
export function featureText({ rows, columns, names }: KeyedRows): SqlFragment {
  const keys: Record<string, string> = {};
  const nameOf = names.ofLevel();
  for (const key of columns) {
    if (key !== WHOLE_ROW) keys[nameOf(key).strings[0]!.slice(1, -1)] = jsonKey(key);
  }
  const properties = sql`(SELECT pg_catalog.string_agg(pg_catalog.concat(coalesce(${JSON.stringify(keys)}::jsonb ->> property.key, pg_catalog.to_json(property.key)::text), ': ', property.value), ', ' ORDER BY property.position) FROM pg_catalog.json_each(feature.json -> 'properties') WITH ORDINALITY AS property (key, value, position))`;
  return sql`(SELECT pg_catalog.concat(pg_catalog.left(feature.json::text, -1 - pg_catalog.length((feature.json -> 'properties')::text)), '{', ${properties}, '}}') FROM (SELECT ST_AsGeoJSON(${rows})::json AS json) AS feature)`;
}

/** What CSV has for a head. */
export function headText(columns: readonly ShownColumn[]): string {
  return columns.map((key) => (key === WHOLE_ROW ? '*' : keptName(key))).join(',');
}

/** As PostgreSQL writes a key: the same escapes, since both are JSON's shortest. */
function jsonKey(key: string): string {
  return JSON.stringify(keptName(key));
}

function concat(parts: readonly SqlFragment[]): SqlFragment {
  if (parts.length <= MAX_ARGUMENTS) return sql`pg_catalog.concat(${joinSql(parts, ', ')})`;
  const calls: SqlFragment[] = [];
  for (let i = 0; i < parts.length; i += MAX_ARGUMENTS) calls.push(concat(parts.slice(i, i + MAX_ARGUMENTS)));
  return concat(calls);
}
