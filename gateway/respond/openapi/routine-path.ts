import type { TenantNaming } from '../../registry/tenant.ts';
import { displayType } from '../../schema-cache/display-type.ts';
import type { Routine, RoutineParam } from '../../schema-cache/schema-cache.ts';
import {
  type Operation,
  type Parameter,
  type PathItem,
  parameterReference,
  type Schema,
  splitComment,
} from './swagger.ts';
import { elementType, swaggerFormat, swaggerItems, swaggerType, typed } from './swagger-type.ts';

const ROUTINE_MEDIA_TYPES = [
  'application/json',
  'application/vnd.pgrst.object+json;nulls=stripped',
  'application/vnd.pgrst.object+json',
];

export interface RoutineContext {
  readonly naming: TenantNaming;
  /**
   * Logical schemas whose types go without them. With `follow-privileges` PostgREST reads functions under the search path of the
   * request, with `ignore-privileges` under none.
   */
  readonly searchPath: readonly string[];
}

/** What can be done with a routine: POST, and GET unless it is volatile. */
export function routinePath(routine: Routine, context: RoutineContext): PathItem {
  const { first, rest } = splitComment(routine.description);
  const operation = (parameters: Operation['parameters'] & object): Operation => ({
    tags: [`(rpc) ${routine.name}`],
    ...(first !== undefined && { summary: first }),
    ...(rest !== undefined && { description: rest }),
    produces: ROUTINE_MEDIA_TYPES,
    ...(parameters.length > 0 && { parameters }),
    responses: { 200: { description: 'OK' } },
  });
  const typeOf = (param: RoutineParam): string => paramType(param, context);
  const post = operation([
    { in: 'body', name: 'args', required: true, schema: argumentsSchema(routine, typeOf) },
    parameterReference('preferParams'),
  ]);
  if (routine.volatility === 'volatile') return { post };
  return { get: operation(routine.params.map((param) => queryParameter(param, typeOf(param)))), post };
}

function paramType(param: RoutineParam, { naming, searchPath }: RoutineContext): string {
  const type = displayType(naming, param.type);
  const schema = searchPath.find((name) => type.startsWith(`${name}.`));
  return schema === undefined ? type : type.slice(schema.length + 1);
}

function argumentsSchema(routine: Routine, typeOf: (param: RoutineParam) => string): Schema {
  const required = routine.params.filter((param) => param.isRequired).map((param) => param.name);
  // PostgREST's JSON library sorts the keys of what stands inside a body.
  const sorted = routine.params.toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  const properties = sorted.map((param) => [param.name, argumentSchema(typeOf(param))] as const);
  return {
    ...(routine.description !== undefined && { description: routine.description }),
    ...(properties.length > 0 && { properties: Object.fromEntries(properties) }),
    ...(required.length > 0 && { required }),
    type: 'object',
  };
}

function argumentSchema(type: string): Schema {
  const items = swaggerItems(type);
  return typed({ format: swaggerFormat(type), ...(items !== undefined && { items }) }, swaggerType(type));
}

/** Arrays are written `{1,2}` in a query string, hence text; a variadic parameter repeats instead. */
function queryParameter({ name, isRequired, isVariadic }: RoutineParam, type: string): Parameter {
  if (isVariadic) {
    const element = elementType(type);
    return {
      collectionFormat: 'multi',
      in: 'query',
      items: typed({ format: swaggerFormat(element) }, swaggerType(element)),
      name,
      required: isRequired,
      type: swaggerType(type) ?? 'string',
    };
  }
  const kind = swaggerType(type);
  return {
    format: swaggerFormat(type),
    in: 'query',
    name,
    required: isRequired,
    type: kind === undefined || kind === 'array' ? 'string' : kind,
  };
}
