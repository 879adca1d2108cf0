import type { JsonStep } from '../api-request/query-params.ts';
import type { PlannedAggregate, PlannedField, SelectTerm } from '../plan/read-plan.ts';
import { joinSql, raw, type SqlFragment, sql } from '../platform/sql.ts';
import { castType } from './cast-type.ts';
import { missingColumn } from './missing-column.ts';
import { columnOf, type RowSource } from './scope.ts';

/**
 * A field as an expression: column, `to_jsonb` where a path needs it, and the path.
 *
 * @throws {GatewayError} 42703 for a name that the picture has nowhere
 */
export function fieldSql(field: PlannedField, source: RowSource): SqlFragment {
  if (field.name === '*') return raw(`${source.name.strings[0]!}.*`);
  if (!field.isKnown) throw missingColumn(field.name, source);
  const column = columnOf(source, field.name);
  if (field.path.length === 0) return column;
  const start = field.needsToJsonb ? sql`to_jsonb(${column})` : column;
  // Joined in one go: putting a long path together step by step copies what is there at each of them.
  return sql`(${start}${joinSql(field.path.map(jsonStepSql), '')})`;
}

function jsonStepSql({ arrow, operand }: JsonStep): SqlFragment {
  return operand.kind === 'index'
    ? sql`${raw(arrow)}${operand.index}::integer`
    : sql`${raw(arrow)}${operand.key}`;
}

/** The term's value without its name, aggregate included. */
export function termValueSql(term: SelectTerm, source: RowSource): SqlFragment {
  const value = plainValueSql(term, source);
  return term.aggregate === undefined ? value : aggregateSql(term.aggregate, value, term.field.name === '*');
}

/** The term's value before any aggregate: what a to-one spread hands to its parent. */
export function plainValueSql(term: SelectTerm, source: RowSource): SqlFragment {
  const field = fieldSql(term.field, source);
  const { representation } = term.field;
  const shown = representation === undefined ? field : sql`${raw(representation)}(${field})`;
  return term.cast === undefined ? shown : sql`CAST(${shown} AS ${castType(term.cast)})`;
}

export function aggregateSql(
  aggregate: PlannedAggregate,
  value: SqlFragment,
  isRowCount: boolean,
): SqlFragment {
  const call = isRowCount ? raw('pg_catalog.count(*)') : sql`${raw(AGGREGATES[aggregate.fn])}(${value})`;
  return aggregate.cast === undefined ? call : sql`CAST(${call} AS ${castType(aggregate.cast)})`;
}

const AGGREGATES = { sum: 'sum', avg: 'avg', count: 'pg_catalog.count', max: 'max', min: 'min' } as const;
