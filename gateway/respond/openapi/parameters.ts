import type { Relation } from '../../schema-cache/schema-cache.ts';
import { definitionReference, type Parameter } from './swagger.ts';

/** The parameters that paths refer to: the common ones, then each relation's body and its columns' filters. */
export function sharedParameters(relations: readonly Relation[]): Readonly<Record<string, Parameter>> {
  const parameters: Record<string, Parameter> = { ...COMMON_PARAMETERS };
  for (const relation of relations) {
    const { name } = relation;
    const schema = definitionReference(name);
    parameters[`body.${name}`] = { name, description: name, required: false, in: 'body', schema };
    for (const column of relation.columns.values()) {
      parameters[rowFilterName(relation, column.name)] = {
        name: column.name,
        ...(column.description !== undefined && { description: column.description }),
        required: false,
        in: 'query',
        type: 'string',
      };
    }
  }
  return parameters;
}

export function rowFilterName(relation: Relation, column: string): string {
  return `rowFilter.${relation.name}.${column}`;
}

const RETURN_PREFERENCES = ['return=representation', 'return=minimal', 'return=none'];
const RESOLUTION_PREFERENCES = ['resolution=ignore-duplicates', 'resolution=merge-duplicates'];
const PAGING = 'Limiting and Pagination';

const COMMON_PARAMETERS: Readonly<Record<string, Parameter>> = {
  preferParams: preferParameter([]),
  preferReturn: preferParameter(RETURN_PREFERENCES),
  preferCount: preferParameter(['count=none']),
  preferPost: preferParameter([...RETURN_PREFERENCES, ...RESOLUTION_PREFERENCES]),
  select: textParameter('select', 'Filtering Columns', 'query'),
  on_conflict: textParameter('on_conflict', 'On Conflict', 'query'),
  order: textParameter('order', 'Ordering', 'query'),
  range: textParameter('Range', PAGING, 'header'),
  rangeUnit: {
    name: 'Range-Unit',
    description: PAGING,
    required: false,
    default: 'items',
    in: 'header',
    type: 'string',
  },
  offset: textParameter('offset', PAGING, 'query'),
  limit: textParameter('limit', PAGING, 'query'),
};

function textParameter(name: string, description: string, place: 'query' | 'header'): Parameter {
  return { name, description, required: false, in: place, type: 'string' };
}

function preferParameter(values: readonly string[]): Parameter {
  return {
    name: 'Prefer',
    description: 'Preference',
    required: false,
    ...(values.length > 0 && { enum: values }),
    in: 'header',
    type: 'string',
  };
}
