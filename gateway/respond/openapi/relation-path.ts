import type { Relation } from '../../schema-cache/schema-cache.ts';
import { rowFilterName } from './parameters.ts';
import {
  definitionReference,
  type Operation,
  type PathItem,
  parameterReference,
  splitComment,
} from './swagger.ts';

/** What can be done with a relation. All writes are shown where any is possible, as PostgREST does. */
export function relationPath(relation: Relation): PathItem {
  const { name } = relation;
  const { first, rest } = splitComment(relation.description);
  const common = {
    tags: [name],
    ...(first !== undefined && { summary: first }),
    ...(rest !== undefined && { description: rest }),
  };
  const operation = (parameters: readonly string[], responses: Operation['responses']): Operation => ({
    ...common,
    parameters: parameters.map(parameterReference),
    responses,
  });

  const filters = [...relation.columns.keys()].map((column) => rowFilterName(relation, column));
  const body = `body.${name}`;
  const get = operation([...filters, ...READ_PARAMETERS], {
    200: { description: 'OK', schema: { items: definitionReference(name), type: 'array' } },
    206: { description: 'Partial Content' },
  });
  if (!relation.isInsertable && !relation.isUpdatable && !relation.isDeletable) return { get };
  return {
    get,
    post: operation([body, 'select', 'preferPost'], { 201: { description: 'Created' } }),
    delete: operation([...filters, 'preferReturn'], NO_CONTENT),
    patch: operation([...filters, body, 'preferReturn'], NO_CONTENT),
  };
}

const READ_PARAMETERS = ['select', 'order', 'range', 'rangeUnit', 'offset', 'limit', 'preferCount'];
const NO_CONTENT: Operation['responses'] = { 204: { description: 'No Content' } };
