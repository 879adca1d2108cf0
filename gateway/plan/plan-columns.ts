import type { Field, Filter, Operation } from '../api-request/query-params.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import type { RelationRef } from '../schema-cache/schema-cache.ts';
import { type FieldRows, planField } from './plan-fields.ts';
import type { Condition, PlannedField } from './read-plan.ts';

interface Rows extends FieldRows {
  readonly ref: RelationRef;
}

type ColumnFilter = Filter & { readonly operation: Extract<Operation, { kind: 'column' }> };

/**
 * Plans a comparison of two columns, of one row or of a row and the one that embeds it.
 *
 * @throws {GatewayError} PGRST204 for a right side that is no column, PGRST108 for `(parent)` outside of an embed
 */
export function planColumns(
  { field, negated, operation }: ColumnFilter,
  rows: Rows & { readonly parent: Rows | undefined },
): Condition {
  const { operator, of, column } = operation;
  const isOfParent = of === 'parent';
  const owner = isOfParent ? rows.parent : rows;
  if (owner === undefined) throw noParent(rows.ref.name);
  return {
    kind: 'columns',
    field: planField(field, rows),
    negated,
    operator,
    other: knownField(column, owner),
    isOfParent,
  };
}

/** Names of the embedding row's columns that conditions compare with. */
export function columnsOfParent(conditions: readonly Condition[]): string[] {
  return conditions.flatMap((condition) => {
    if (condition.kind === 'logic') return columnsOfParent(condition.children);
    return condition.kind === 'columns' && condition.isOfParent ? [condition.other.name] : [];
  });
}

/** Of rows of no relation PostgreSQL says what is no column. */
function knownField(field: Field, rows: Rows): PlannedField {
  const { relation, ref } = rows;
  if (relation === undefined || relation.columns.has(field.name)) return planField(field, rows);
  throw new GatewayError('PGRST204', {
    message: `Could not find the '${field.name}' column of '${ref.name}' in the schema cache`,
  });
}

function noParent(name: string): GatewayError {
  return new GatewayError('PGRST108', {
    message: `'${name}' is not embedded in another resource in this request`,
    hint: "Compare with a column of the same row: 'gt(col).name' instead of 'gt(parent).name'.",
  });
}
