import type { Field, SelectItem } from '../api-request/query-params.ts';
import type { Relation, SchemaCache } from '../schema-cache/schema-cache.ts';
import { columnsLeft } from './columns-left.ts';
import type { PlannedField, SelectTerm } from './read-plan.ts';

export type FieldItem = Extract<SelectItem, { kind: 'field' }>;

/** Which way a value passes a domain representation: out to JSON, in from JSON, or in from a filter's text. */
export type RepresentationUse = 'to-json' | 'from-json' | 'from-text';

/** Looks up a field's type. Unknown names are left to PostgreSQL: they may be computed columns (F20). */
export function planField(
  field: Field,
  relation: Relation | undefined,
  representationOf: (type: string) => string | undefined = noRepresentation,
): PlannedField {
  const column = relation?.columns.get(field.name);
  const baseType = column?.baseType;
  const hasPath = field.path.length > 0;
  return {
    name: field.name,
    path: field.path,
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
  relation: Relation | undefined,
  context: { readonly cache: SchemaCache; readonly expandsStar: boolean },
): SelectTerm[] {
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
            field: planField({ name: column.name, path: [] }, relation, toJson),
            alias: column.name,
            cast: undefined,
            aggregate: undefined,
          });
        }
        continue;
      }
      terms.push({
        field: planField(field, undefined),
        alias: undefined,
        cast: undefined,
        aggregate: undefined,
      });
      continue;
    }
    terms.push({
      field: planField(field, relation, aggregate === undefined ? toJson : noRepresentation),
      alias: item.alias ?? aggregate?.fn ?? lastKey(field) ?? field.name,
      cast: item.cast,
      aggregate,
    });
  }
  return terms;
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
