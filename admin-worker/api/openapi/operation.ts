import { z } from 'zod';

export type Json = Readonly<Record<string, unknown>>;

/** The operations of one room, and the bodies that they take. */
export interface ApiRoom {
  readonly schemas: Json;
  readonly paths: Json;
}

/** Spread into a path with `{id}`. */
export const OF_ID: { readonly parameters: readonly Json[] } = { parameters: [parameter('id', 'path')] };

export interface Operation {
  readonly summary: string;
  readonly status: string;
  readonly body?: string;
  readonly parameters?: readonly Json[];
  readonly isPublic?: boolean;
  /** Answers with a job, and takes an `Idempotency-Key`. */
  readonly makesJob?: boolean;
}

/** As requests give it. */
export function jsonSchema(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

/** One operation, with what all have in common. */
export function operation({
  summary,
  status,
  body,
  parameters = [],
  isPublic,
  makesJob = false,
}: Operation): Json {
  const all = makesJob ? [...parameters, IDEMPOTENCY_KEY] : parameters;
  return {
    summary,
    ...(all.length === 0 ? {} : { parameters: all }),
    ...(isPublic === true ? { security: [] } : {}),
    ...(body === undefined ? {} : { requestBody: { content: jsonContent(body) } }),
    responses: {
      [status]: {
        description: summary,
        ...(makesJob ? { content: { 'application/json': { schema: JOB_ANSWER } } } : {}),
      },
      default: { description: 'What went wrong', content: jsonContent('Error') },
    },
  };
}

const JOB_ANSWER: Json = { type: 'object', properties: { job: { $ref: '#/components/schemas/Job' } } };

const IDEMPOTENCY_KEY: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'Requests with the same key and body make one job; another body under the key is 422',
  schema: { type: 'string', maxLength: 255 },
};

function jsonContent(schema: string): Json {
  return { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } };
}

export function parameter(name: string, place: 'path' | 'query'): Json {
  return { name, in: place, required: true, schema: { type: 'string' } };
}

/** As the schema that parses the query has them. */
export function queryParameters(schema: z.ZodObject): readonly Json[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' });
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema: property,
  }));
}
