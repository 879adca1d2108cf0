import type { ColumnOperator } from '../api-request/query-params.ts';
import type { Condition, PlannedField } from '../plan/read-plan.ts';
import { raw, type SqlFragment, sql } from '../platform/sql.ts';
import { fieldSql } from './field-sql.ts';
import { COMPARISONS, SIMPLE } from './operators.ts';
import type { RowSource } from './scope.ts';

/** A comparison of two columns. Both are values already, so that no domain's cast has a part in it. */
export function columnsSql(
  { field, operator, other, isOfParent }: Extract<Condition, { kind: 'columns' }>,
  { source, parent }: { readonly source: RowSource; readonly parent: RowSource | undefined },
): SqlFragment {
  const otherSource = isOfParent ? parent! : source;
  if (operator === 'in') return sql`${fieldSql(field, source)} = ANY (${fieldSql(other, otherSource)})`;
  const isOfJson = isJsonb(field) !== isJsonb(other);
  const left = isOfJson ? asJsonb(field, fieldSql(field, source)) : fieldSql(field, source);
  const right = isOfJson ? asJsonb(other, fieldSql(other, otherSource)) : fieldSql(other, otherSource);
  return sql`${left} ${raw(OPERATORS[operator])} ${right}`;
}

const OPERATORS: Record<Exclude<ColumnOperator, 'in'>, string> = {
  ...COMPARISONS,
  ...SIMPLE,
  isdistinct: 'IS DISTINCT FROM',
};

/** What a JSON path or column gives that still is JSON, with operators of its own. */
function isJsonb({ path, baseType }: PlannedField): boolean {
  if (path.length === 0) return baseType === 'jsonb';
  return path.at(-1)!.arrow === '->' && baseType !== 'json';
}

/** `data->price=gt(col).limit`: a number in JSON is compared with a number as JSON. */
function asJsonb(field: PlannedField, value: SqlFragment): SqlFragment {
  return isJsonb(field) ? value : sql`to_jsonb(${value})`;
}
