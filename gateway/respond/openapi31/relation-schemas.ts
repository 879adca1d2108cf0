import { displayType } from '../../schema-cache/display-type.ts';
import type { Column, Relation } from '../../schema-cache/schema-cache.ts';
import { columnDescription, type DocumentContext } from '../openapi/definitions.ts';
import type { JsonSchema } from './document-types.ts';
import { orNull, typeSchema } from './type-schema.ts';

export type RowForm = 'row' | 'insert' | 'update';

/**
 * A relation's rows: as they are read; as they are inserted, where what has neither a default nor may be null is required; and as they are
 * updated, where nothing is. Generated columns cannot be written.
 */
export function relationSchema(relation: Relation, form: RowForm, context: DocumentContext): JsonSchema {
  const all = [...relation.columns.values()];
  const columns = form === 'row' ? all : all.filter((column) => !column.isGenerated);
  const required = columns.filter((column) => isRequired(column, form)).map(({ name }) => name);
  return {
    type: 'object',
    ...(relation.description !== undefined && { description: relation.description }),
    properties: Object.fromEntries(
      columns.map((column) => [column.name, columnSchema(column, relation, context)]),
    ),
    ...(required.length > 0 && { required }),
    // A key that is no column is an error in a write; a row may hold embeds and computed columns.
    ...(form !== 'row' && { additionalProperties: false }),
  };
}

function isRequired(column: Column, form: RowForm): boolean {
  if (form === 'update' || column.isNullable) return false;
  return form === 'row' || column.default === undefined;
}

function columnSchema(column: Column, relation: Relation, context: DocumentContext): JsonSchema {
  const description = columnDescription(column, relation, context.cache);
  const { enumValues, maxLength } = column;
  const base = typeSchema(displayType(context.naming, column.baseType));
  const value = literalDefault(column.default, base.type === 'string');
  const schema: JsonSchema = {
    ...base,
    ...(enumValues.length > 0 && { enum: enumValues }),
    ...(maxLength !== undefined && base.type === 'string' && { maxLength }),
  };
  return {
    ...(column.isNullable ? orNull(schema) : schema),
    ...(description !== undefined && { description }),
    ...(value !== undefined && { default: value }),
    ...(column.isGenerated && { readOnly: true }),
  };
}

const TEXT_LITERAL = /^'((?:[^']|'')*)'::(?:text|character varying|bpchar|"?[^'()[\]]+"?)$/;
const NOT_TEXT = /::(?:json|jsonb|bytea|date|timestamp|time|interval)\b/;

/** A default that is a value, not an expression that PostgreSQL has to work out. */
function literalDefault(
  expression: string | undefined,
  isText: boolean,
): string | number | boolean | undefined {
  if (expression === undefined) return undefined;
  if (isText) {
    const text = NOT_TEXT.test(expression) ? undefined : TEXT_LITERAL.exec(expression)?.[1];
    return text?.replaceAll("''", "'");
  }
  if (expression === 'true' || expression === 'false') return expression === 'true';
  return /^-?\d{1,15}(?:\.\d{1,15})?$/.test(expression) ? Number(expression) : undefined;
}
