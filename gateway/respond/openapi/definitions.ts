import { logicalNames } from '../../errors/logical-names.ts';
import type { TenantNaming } from '../../registry/tenant.ts';
import { displayType } from '../../schema-cache/display-type.ts';
import {
  type Column,
  type Relation,
  type RelationRef,
  relationKey,
  type SchemaCache,
} from '../../schema-cache/schema-cache.ts';
import type { Schema } from './swagger.ts';
import { swaggerFormat, swaggerItems, swaggerType, typed } from './swagger-type.ts';

/** What the parts of the document are made from. */
export interface DocumentContext {
  readonly cache: SchemaCache;
  readonly naming: TenantNaming;
}

/** A relation's rows as an object schema; clients read keys off the notes in the descriptions. */
export function relationDefinition(relation: Relation, context: DocumentContext): Schema {
  const columns = [...relation.columns.values()];
  const required = columns.filter((column) => !column.isNullable).map((column) => column.name);
  const properties = columns.map(
    (column) => [column.name, columnProperty(column, relation, context)] as const,
  );
  return {
    ...(relation.description !== undefined && { description: relation.description }),
    ...(required.length > 0 && { required }),
    ...(properties.length > 0 && { properties: Object.fromEntries(properties) }),
    type: 'object',
  };
}

function columnProperty(column: Column, relation: Relation, context: DocumentContext): Schema {
  const type = displayType(context.naming, column.baseType);
  const description = columnDescription(column, relation, context.cache);
  const defaultValue = columnDefault(column, context.naming);
  const items = swaggerItems(type);
  return typed(
    {
      ...(description !== undefined && { description }),
      ...(defaultValue !== undefined && { default: defaultValue }),
      ...(column.enumValues.length > 0 && { enum: column.enumValues }),
      format: swaggerFormat(type),
      ...(items !== undefined && { items }),
      ...(column.maxLength !== undefined && { maxLength: column.maxLength }),
    },
    swaggerType(type),
  );
}

/** A column's comment, with the notes of its keys. */
export function columnDescription(
  column: Column,
  relation: Relation,
  cache: SchemaCache,
): string | undefined {
  const notes: string[] = [];
  if (relation.primaryKey.includes(column.name)) notes.push('This is a Primary Key.<pk/>');
  const target = foreignKeyTarget(column, relation, cache);
  if (target !== undefined) {
    const { table, column: key } = target;
    notes.push(`This is a Foreign Key to \`${table}.${key}\`.<fk table='${table}' column='${key}'/>`);
  }
  if (notes.length === 0) return column.description;
  const note = ['Note:', ...notes].join('\n');
  return column.description === undefined ? note : `${column.description}\n\n${note}`;
}

/** The one column that a foreign key of this column alone refers to; tables go before views. */
function foreignKeyTarget(
  column: Column,
  relation: RelationRef,
  cache: SchemaCache,
): { readonly table: string; readonly column: string } | undefined {
  let ofView: { readonly table: string; readonly column: string } | undefined;
  for (const relationship of cache.relationships.get(relationKey(relation.schema, relation.name)) ?? []) {
    if (relationship.kind !== 'foreign-key' || relationship.target.schema !== relation.schema) continue;
    const { cardinality } = relationship;
    const isKey = cardinality.kind === 'm2o' || (cardinality.kind === 'o2o' && !cardinality.isParent);
    if (!isKey || cardinality.columns.length !== 1) continue;
    const [pair] = cardinality.columns;
    if (pair === undefined || pair.source !== column.name) continue;
    const target = { table: relationship.target.name, column: pair.target };
    if (!relationship.targetIsView) return target;
    ofView ??= target;
  }
  return ofView;
}

/**
 * The default where it can be written as JSON: a string's literal without its quotes and cast, or any expression of a string
 * type as its text (`now()`); a number or a boolean as such. Others (`nextval(…)` of a number) are left out.
 */
function columnDefault(column: Column, naming: TenantNaming): unknown {
  const { default: expression, baseType } = column;
  if (expression === undefined) return undefined;
  if (swaggerType(baseType) !== 'string') return parseJson(expression);
  const cast = `::${baseType}`;
  const text = expression.endsWith(cast)
    ? expression.slice(0, -cast.length).replace(/^'+|'+$/g, '')
    : logicalExpression(expression, naming);
  return parseJson(`"${text}"`);
}

function logicalExpression(expression: string, naming: TenantNaming): string {
  return expression.includes("'") ? expression : logicalNames(expression, naming);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
