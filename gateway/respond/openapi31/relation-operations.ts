import type { MediaHandler, Relation } from '../../schema-cache/schema-cache.ts';
import { splitComment } from '../openapi/swagger.ts';
import type { ComponentKeys } from './component-keys.ts';
import {
  type Body,
  type Content,
  componentReference,
  type JsonSchema,
  type Operation,
  type PathItem,
  type Reference,
} from './document-types.ts';
import type { RowForm } from './relation-schemas.ts';

/** Keys that the parts of one document share. */
export interface DocumentKeys {
  /** Of schemas: a relation, or a relation and the form of its rows. */
  readonly schemas: ComponentKeys;
  /** Of parameters: a relation and a column. */
  readonly parameters: ComponentKeys;
  readonly operations: ComponentKeys;
}

type Verb = 'read' | 'insert' | 'upsert' | 'update' | 'delete';

const ERROR = componentReference('responses', 'Error');
const RANGE = { 'Content-Range': componentReference('headers', 'ContentRange') };
const APPLIED = { 'Preference-Applied': componentReference('headers', 'PreferenceApplied') };

/** What can be done with a relation; unlike Swagger's document this one leaves out what the relation does not take. */
export function relationOperations(
  relation: Relation,
  handlers: readonly MediaHandler[],
  keys: DocumentKeys,
): PathItem {
  const { name, isInsertable, isUpdatable, isDeletable } = relation;
  const { first, rest } = splitComment(relation.description);
  const operation = (verb: Verb, parts: Omit<Operation, 'operationId' | 'tags'>): Operation => ({
    operationId: keys.operations.of(verb, name),
    tags: [name],
    ...(first !== undefined && { summary: first }),
    ...(rest !== undefined && { description: rest }),
    ...parts,
  });
  const filters = [...relation.columns.keys()].map((column) =>
    componentReference('parameters', keys.parameters.of(name, column)),
  );
  const rows = rowsContent(schemaOf(relation, 'row', keys), customTypes(handlers));
  const written = { description: 'The changed rows, with `return=representation`', content: rows };
  const nothing = { description: 'Done', headers: { ...RANGE, ...APPLIED } };
  return {
    get: operation('read', {
      parameters: [...filters, ...shared('select', 'order', 'limit', 'offset', 'range', 'preferRead')],
      responses: {
        200: { description: 'Rows', headers: { ...RANGE, ...APPLIED }, content: rows },
        206: { description: 'A part of the rows that were counted', headers: RANGE, content: rows },
        default: ERROR,
      },
    }),
    ...(isInsertable && {
      post: operation('insert', {
        parameters: shared('select', 'columns', 'onConflict', 'preferInsert'),
        requestBody: rowsBody(schemaOf(relation, 'insert', keys)),
        responses: {
          200: { description: 'Rows were changed, none was new', content: rows },
          201: {
            description: 'Created',
            headers: { Location: componentReference('headers', 'Location'), ...APPLIED },
            content: rows,
          },
          default: ERROR,
        },
      }),
    }),
    ...(isInsertable &&
      isUpdatable &&
      relation.primaryKey.length > 0 && {
        put: operation('upsert', {
          parameters: [
            ...relation.primaryKey.map((column) =>
              componentReference('parameters', keys.parameters.of(name, column)),
            ),
            ...shared('select', 'columns', 'preferWrite'),
          ],
          requestBody: rowBody(schemaOf(relation, 'insert', keys)),
          responses: { 200: written, 201: written, 204: nothing, default: ERROR },
        }),
      }),
    ...(isUpdatable && {
      patch: operation('update', {
        parameters: [...filters, ...shared('select', 'columns', 'preferWrite')],
        requestBody: rowBody(schemaOf(relation, 'update', keys)),
        responses: { 200: written, 204: nothing, default: ERROR },
      }),
    }),
    ...(isDeletable && {
      delete: operation('delete', {
        parameters: [...filters, ...shared('select', 'preferWrite')],
        responses: { 200: written, 204: nothing, default: ERROR },
      }),
    }),
  };
}

export function schemaKey(relation: { readonly name: string }, form: RowForm, keys: DocumentKeys): string {
  return form === 'row' ? keys.schemas.of(relation.name) : keys.schemas.of(relation.name, form);
}

function schemaOf(relation: Relation, form: RowForm, keys: DocumentKeys): JsonSchema {
  return componentReference('schemas', schemaKey(relation, form, keys));
}

export function shared(...names: readonly string[]): readonly Reference[] {
  return names.map((name) => componentReference('parameters', name));
}

/** The media types that rows can be had in. */
export function rowsContent(row: JsonSchema, custom: Content = {}): Content {
  return {
    'application/json': { schema: { type: 'array', items: row } },
    'application/vnd.pgrst.object+json': { schema: row },
    'text/csv': { schema: { type: 'string' } },
    ...custom,
  };
}

/** What the tenant's own aggregates make (M8). The any-type is sent as bytes. */
function customTypes(handlers: readonly MediaHandler[]): Content {
  return Object.fromEntries(
    handlers.map(({ mediaType, isBinary }) => [
      mediaType === '*/*' ? 'application/octet-stream' : mediaType,
      isBinary ? {} : { schema: { type: 'string' } },
    ]),
  );
}

function rowsBody(row: JsonSchema): Body {
  return {
    required: true,
    content: {
      'application/json': { schema: { oneOf: [row, { type: 'array', items: row }] } },
      'text/csv': { schema: { type: 'string' } },
    },
  };
}

function rowBody(row: JsonSchema): Body {
  return { required: true, content: { 'application/json': { schema: row } } };
}
