import type { TenantNaming } from '../../registry/tenant.ts';
import { displayType } from '../../schema-cache/display-type.ts';
import type { Relation, Routine, RoutineParam } from '../../schema-cache/schema-cache.ts';
import { splitComment } from '../openapi/swagger.ts';
import {
  type ApiResponse,
  type Body,
  type Content,
  componentReference,
  type JsonSchema,
  type Operation,
  type Parameter,
  type PathItem,
} from './document-types.ts';
import { type DocumentKeys, rowsContent, schemaKey, shared } from './relation-operations.ts';
import { typeSchema } from './type-schema.ts';

export interface RoutineContext {
  readonly naming: TenantNaming;
  readonly keys: DocumentKeys;
  /** Whether the document has a schema for the rows of a relation. */
  readonly isShown: (relation: Pick<Relation, 'schema' | 'name'>) => boolean;
}

const ERROR = componentReference('responses', 'Error');
const READ_PARAMETERS = ['select', 'order', 'limit', 'offset', 'preferRead'];

/** Calls of a routine, all its overloads together: by POST, and by GET where one of them changes nothing. */
export function routineOperations(overloads: readonly Routine[], context: RoutineContext): PathItem {
  const last = overloads.at(-1)!;
  const { first, rest } = splitComment(last.description);
  const operation = (verb: string, parts: Pick<Operation, 'parameters' | 'requestBody'>): Operation => ({
    operationId: context.keys.operations.of(verb, last.name),
    tags: ['rpc'],
    ...(first !== undefined && { summary: first }),
    ...(rest !== undefined && { description: rest }),
    ...parts,
    responses: { ...responses(overloads, context), default: ERROR },
  });
  const extra = overloads.some(({ returns }) => returns.kind === 'composite')
    ? shared(...READ_PARAMETERS)
    : [];
  const readable = overloads.filter(
    ({ volatility, params }) => volatility !== 'volatile' && !isUnnamed(params),
  );
  return {
    ...(readable.length > 0 && {
      get: operation('call_get', { parameters: [...queryParameters(readable, context.naming), ...extra] }),
    }),
    post: operation('call', {
      ...(extra.length > 0 && { parameters: extra }),
      requestBody: callBody(overloads, context.naming),
    }),
  };
}

function isUnnamed(params: readonly RoutineParam[]): boolean {
  return params.length === 1 && params[0]!.name === '';
}

/** Parameters of all overloads; one that not every overload needs can be left out. */
function queryParameters(overloads: readonly Routine[], naming: TenantNaming): readonly Parameter[] {
  const byName = new Map<string, RoutineParam>();
  for (const { params } of overloads) for (const param of params) byName.set(param.name, param);
  return [...byName.values()].map((param): Parameter => {
    const isRequired = overloads.every(({ params }) =>
      params.some(({ name, isRequired: needed }) => name === param.name && needed),
    );
    const schema = typeSchema(displayType(naming, param.type));
    if (param.isVariadic) {
      return { name: param.name, in: 'query', required: isRequired, style: 'form', explode: true, schema };
    }
    // Arrays and objects are written in a query string as PostgreSQL writes them.
    const isPlain = schema.type !== undefined && schema.type !== 'array';
    return {
      name: param.name,
      in: 'query',
      required: isRequired,
      schema: isPlain ? schema : { type: 'string' },
    };
  });
}

const RAW_TYPES: Readonly<Record<string, string>> = {
  text: 'text/plain',
  xml: 'text/xml',
  bytea: 'application/octet-stream',
};

function callBody(overloads: readonly Routine[], naming: TenantNaming): Body {
  const content: Record<string, { schema?: JsonSchema }> = {};
  const objects: JsonSchema[] = [];
  for (const { params } of overloads) {
    const raw = isUnnamed(params) ? RAW_TYPES[params[0]!.type] : undefined;
    if (raw !== undefined)
      content[raw] = raw === 'application/octet-stream' ? {} : { schema: { type: 'string' } };
    else objects.push(isUnnamed(params) ? {} : argumentsSchema(params, naming));
  }
  if (objects.length > 0) {
    content['application/json'] = { schema: objects.length === 1 ? objects[0]! : { anyOf: objects } };
  }
  return { required: overloads.every(({ params }) => params.some(({ isRequired }) => isRequired)), content };
}

function argumentsSchema(params: readonly RoutineParam[], naming: TenantNaming): JsonSchema {
  const required = params.filter(({ isRequired }) => isRequired).map(({ name }) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(
      params.map(({ name, type }) => [name, typeSchema(displayType(naming, type))]),
    ),
    ...(required.length > 0 && { required }),
  };
}

function responses(
  overloads: readonly Routine[],
  context: RoutineContext,
): Readonly<Record<string, ApiResponse>> {
  const valued = overloads.filter(({ returns }) => returns.kind !== 'void');
  const content: Content = Object.assign({}, ...valued.map((routine) => resultContent(routine, context)));
  return {
    ...(valued.length > 0 && { 200: { description: 'The result', content } }),
    ...(valued.length < overloads.length && { 204: { description: 'Done; the function returns nothing' } }),
  };
}

function resultContent({ returns }: Routine, { naming, keys, isShown }: RoutineContext): Content {
  switch (returns.kind) {
    case 'void':
      return {};
    case 'scalar': {
      const value = returns.mediaType === undefined ? typeSchema(displayType(naming, returns.type)) : {};
      const json = {
        'application/json': { schema: returns.isSet ? { type: 'array', items: value } : value },
      };
      if (returns.mediaType === undefined) return json;
      const mediaType = returns.mediaType === '*/*' ? 'application/octet-stream' : returns.mediaType;
      return { ...json, [mediaType]: returns.isBinary === true ? {} : { schema: { type: 'string' } } };
    }
    case 'composite': {
      const { relation } = returns;
      const row: JsonSchema =
        relation !== undefined && isShown(relation)
          ? componentReference('schemas', schemaKey(relation, 'row', keys))
          : { type: 'object' };
      return returns.isSet ? rowsContent(row) : { 'application/json': { schema: row } };
    }
    default:
      return returns satisfies never;
  }
}
