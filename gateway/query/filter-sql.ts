import type { FullTextOperator, Operation } from '../api-request/query-params.ts';
import type { Condition, PlannedField } from '../plan/read-plan.ts';
import { arrayLiteral, EMPTY_SQL, joinSql, raw, type SqlFragment, sql } from '../platform/sql.ts';
import { columnsSql } from './columns-sql.ts';
import { fieldSql } from './field-sql.ts';
import { COMPARISONS, SIMPLE } from './operators.ts';
import type { RowSource } from './scope.ts';

/** Says whether an embed has rows, for null-embed filters: by its lateral join, or by `EXISTS` in a count. */
export type EmbedTest = (embed: number, isNull: boolean) => SqlFragment;

/** `WHERE …` with every condition ANDed, or nothing. */
export function whereSql(conditions: readonly SqlFragment[]): SqlFragment {
  return conditions.length === 0 ? EMPTY_SQL : sql` WHERE ${joinSql(conditions, ' AND ')}`;
}

/** What a condition is about: a row, the one that embeds it, and what is embedded in it. */
export interface ConditionScope {
  readonly source: RowSource;
  readonly parent: RowSource | undefined;
  readonly embedTest: EmbedTest;
}

export function conditionSql(condition: Condition, scope: ConditionScope): SqlFragment {
  switch (condition.kind) {
    case 'filter': {
      const test = operationSql(condition.field, condition.operation, scope.source);
      return condition.negated ? sql`NOT ${test}` : test;
    }
    case 'columns': {
      const test = columnsSql(condition, scope);
      return condition.negated ? sql`NOT ${test}` : test;
    }
    case 'null-embed':
      return scope.embedTest(condition.embed, condition.isNull);
    case 'logic': {
      const { children, operator, negated } = condition;
      const joined = joinSql(
        children.map((child) => conditionSql(child, scope)),
        operator === 'and' ? ' AND ' : ' OR ',
      );
      return negated ? sql`NOT (${joined})` : sql`(${joined})`;
    }
    default:
      return condition satisfies never;
  }
}

const TO_TSQUERY: Record<FullTextOperator, string> = {
  fts: 'to_tsquery',
  plfts: 'plainto_tsquery',
  phfts: 'phraseto_tsquery',
  wfts: 'websearch_to_tsquery',
};

type FilterOperation = Extract<Condition, { kind: 'filter' }>['operation'];

const IS: Record<Extract<Operation, { kind: 'is' }>['value'], string> = {
  null: 'IS NULL',
  not_null: 'IS NOT NULL',
  true: 'IS TRUE',
  false: 'IS FALSE',
  unknown: 'IS UNKNOWN',
};

function operationSql(field: PlannedField, operation: FilterOperation, source: RowSource): SqlFragment {
  const column = fieldSql(field, source);
  switch (operation.kind) {
    case 'compare': {
      const isPattern = operation.operator === 'like' || operation.operator === 'ilike';
      const value = isPattern ? operation.value.replaceAll('*', '%') : operation.value;
      const operator = raw(COMPARISONS[operation.operator]);
      // A pattern is no value of the column's type, so a domain's cast has no business with it (X1).
      const typed = isPattern ? { ...field, representation: undefined } : field;
      if (operation.quantifier === undefined) return sql`${column} ${operator} ${boundValue(typed, value)}`;
      const quantifier = raw(operation.quantifier === 'any' ? 'ANY' : 'ALL');
      return sql`${column} ${operator} ${quantifier} (${boundArray(typed, value)})`;
    }
    case 'simple':
      return sql`${column} ${raw(SIMPLE[operation.operator])} ${boundValue(field, operation.value)}`;
    case 'in':
      return sql`${column} = ANY (${boundArray(field, arrayLiteral(operation.values))})`;
    case 'is':
      return sql`${column} ${raw(IS[operation.value])}`;
    case 'isdistinct':
      // Unlike the comparisons, PostgREST's takes the value as it is, past a domain's cast (X1).
      return sql`${column} IS DISTINCT FROM ${operation.value}`;
    case 'full-text':
      return fullTextSql(field, column, operation);
    default:
      return operation satisfies never;
  }
}

/** A parameter without a type: PostgreSQL takes the column's (F12). */
function boundValue(field: PlannedField, value: string): SqlFragment {
  return field.representation === undefined ? sql`${value}` : sql`${raw(field.representation)}(${value})`;
}

function boundArray(field: PlannedField, literal: string): SqlFragment {
  return field.representation === undefined
    ? sql`${literal}`
    : sql`SELECT ${raw(field.representation)}(unnest(${literal}::text[]))`;
}

/** F8: a column that is not a tsvector is made one; an unknown (computed) column is taken as it is. */
function fullTextSql(
  field: PlannedField,
  column: SqlFragment,
  { operator, language, value }: Extract<Operation, { kind: 'full-text' }>,
): SqlFragment {
  const isVector = field.path.length === 0 && (field.baseType === undefined || field.baseType === 'tsvector');
  const toQuery = raw(TO_TSQUERY[operator]);
  if (language === undefined) {
    const vector = isVector ? column : sql`to_tsvector(${column})`;
    return sql`${vector} @@ ${toQuery}(${value})`;
  }
  const vector = isVector ? column : sql`to_tsvector(${language}::regconfig, ${column})`;
  return sql`${vector} @@ ${toQuery}(${language}::regconfig, ${value})`;
}
