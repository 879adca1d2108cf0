import type { Field, SelectItem } from '../api-request/query-params.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import { isNameOfRows, isNameOfType } from '../schema-cache/known-names.ts';
import {
  type KnownNames,
  type Relation,
  relationKey,
  type SchemaCache,
} from '../schema-cache/schema-cache.ts';
import { readTypeName } from '../schema-cache/type-name.ts';
import { columnsLeft } from './columns-left.ts';
import type { PlannedField, SelectTerm } from './read-plan.ts';

export type FieldItem = Extract<SelectItem, { kind: 'field' }>;

/** Which way a value passes a domain representation: out to JSON, in from JSON, or in from a filter's text. */
export type RepresentationUse = 'to-json' | 'from-json' | 'from-text';

/** Rows whose fields are planned. */
export interface FieldRows {
  readonly relation: Relation | undefined;
  /** The columns of rows of no relation. */
  readonly outputs: ReadonlySet<string> | undefined;
  readonly names: KnownNames;
}

/** Looks up a field's type. What is no column may be a function of the row (F20). */
export function planField(
  field: Field,
  { relation, outputs, names }: FieldRows,
  representationOf: (type: string) => string | undefined = noRepresentation,
): PlannedField {
  const column = relation?.columns.get(field.name);
  const baseType = column?.baseType;
  const hasPath = field.path.length > 0;
  return {
    name: field.name,
    path: field.path,
    isKnown: column !== undefined || outputs?.has(field.name) === true || isNameOfRows(names, field.name),
    needsToJsonb: hasPath && baseType !== 'json' && baseType !== 'jsonb',
    baseType,
    representation: hasPath || column === undefined ? undefined : representationOf(column.type),
  };
}

/** Finds the cast function of a domain representation for one use, by the column's type. */
export function representationLookup(
  cache: SchemaCache,
  use: RepresentationUse,
): (type: string) => string | undefined {
  if (cache.representations.length === 0) return noRepresentation;
  return (type) =>
    cache.representations.find((cast) =>
      use === 'to-json'
        ? cast.sourceType === type && cast.targetType === 'json'
        : cast.targetType === type && cast.sourceType === (use === 'from-json' ? 'json' : 'text'),
    )?.functionName;
}

/**
 * Plans the columns of one level. `*` stays `*` unless a column has a domain representation or is left out, or the rows are
 * grouped: then it is written out.
 *
 * @throws {GatewayError} PGRST127, 204 where what is left out is no column
 */
export function planSelectTerms(
  items: readonly FieldItem[],
  rows: FieldRows,
  context: { readonly cache: SchemaCache; readonly expandsStar: boolean },
): SelectTerm[] {
  const { relation } = rows;
  const toJson = representationLookup(context.cache, 'to-json');
  const terms: SelectTerm[] = [];
  for (const item of items) {
    const { field, aggregate } = item;
    if (field.name === '*' && aggregate === undefined) {
      const columns =
        item.except === undefined
          ? [...(relation?.columns.values() ?? [])]
          : columnsLeft(relation, item.except);
      if (
        item.except !== undefined ||
        (columns.length > 0 && (context.expandsStar || columns.some((c) => toJson(c.type) !== undefined)))
      ) {
        for (const column of columns) {
          terms.push({
            field: planField({ name: column.name, path: [] }, rows, toJson),
            alias: column.name,
            cast: undefined,
            aggregate: undefined,
          });
        }
        continue;
      }
      terms.push({
        field: planField(field, { ...rows, relation: undefined }),
        alias: undefined,
        cast: undefined,
        aggregate: undefined,
      });
      continue;
    }
    checkCast(item.cast, rows, context.cache);
    checkCast(aggregate?.cast, rows, context.cache);
    terms.push({
      field: planField(field, rows, aggregate === undefined ? toJson : noRepresentation),
      alias: item.alias ?? aggregate?.fn ?? lastKey(field) ?? field.name,
      cast: item.cast,
      aggregate,
    });
  }
  return terms;
}

/** @throws {GatewayError} 42704, as PostgreSQL says it, for what is no type */
function checkCast(
  cast: string | undefined,
  { relation }: FieldRows,
  { names, relations }: SchemaCache,
): void {
  const type = cast === undefined ? undefined : readTypeName(cast);
  // What is no type's name at all is for the next stage to refuse.
  if (type === undefined || type.isGrammar || isNameOfType(names, type.element)) return;
  // A relation's row is a type too.
  if (relation !== undefined && relations.has(relationKey(relation.schema, type.element))) return;
  const shown = type.isArray ? `${type.element}[]` : type.element;
  throw new GatewayError({ code: '42704', status: 400, message: `type "${shown}" does not exist` });
}

/** The name of its column in the answer is none of the picture's. */
export function isNamedByClient({ field, alias, aggregate }: FieldItem): boolean {
  return alias !== undefined || (aggregate === undefined && lastKey(field) !== undefined);
}

/** V2: a JSON path is named after its last key; a path of indexes only after its column. */
function lastKey(field: Field): string | undefined {
  for (let i = field.path.length - 1; i >= 0; i--) {
    const operand = field.path[i]!.operand;
    if (operand.kind === 'key') return operand.key;
  }
  return undefined;
}

function noRepresentation(): undefined {
  return undefined;
}
