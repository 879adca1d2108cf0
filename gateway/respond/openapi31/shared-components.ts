import type { ApiResponse, JsonSchema, Parameter } from './document-types.ts';
import { componentReference } from './document-types.ts';

/** Schemas that are no relation's. */
export const SHARED_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  Error: {
    type: 'object',
    description:
      'What went wrong: a code of PostgREST (PGRST…), of the gateway (GW…) or of PostgreSQL (SQLSTATE).',
    properties: {
      code: { type: 'string' },
      message: { type: 'string' },
      details: {},
      hint: { type: ['string', 'null'] },
    },
    required: ['code', 'message'],
  },
};

const text = (name: string, description: string): Parameter => ({
  name,
  in: 'query',
  description,
  schema: { type: 'string' },
});

const count = (name: string, description: string): Parameter => ({
  name,
  in: 'query',
  description,
  schema: { type: 'integer', minimum: 0 },
});

const prefer = (description: string): Parameter => ({
  name: 'Prefer',
  in: 'header',
  description: `Preferences, separated by commas: ${description}`,
  schema: { type: 'string' },
});

/** Parameters that operations refer to. */
export const SHARED_PARAMETERS: Readonly<Record<string, Parameter>> = {
  select: text('select', 'Columns and embedded relations, separated by commas'),
  order: text('order', 'Columns to order by: `name.desc.nullslast`'),
  limit: count('limit', 'Rows at most'),
  offset: count('offset', 'Rows to leave out first'),
  columns: text('columns', 'Columns to write; other keys of the body are ignored'),
  onConflict: text(
    'on_conflict',
    'Columns of the unique constraint that decides whether a row is there already',
  ),
  range: { name: 'Range', in: 'header', description: 'Rows wanted: `0-9`', schema: { type: 'string' } },
  preferRead: prefer('`count=exact|planned|estimated`, `handling=strict`, `timezone=…`'),
  preferWrite: prefer(
    '`return=representation|headers-only|minimal`, `count=exact`, `tx=rollback`, `max-affected=…`',
  ),
  preferInsert: prefer(
    '`return=representation|headers-only|minimal`, `resolution=merge-duplicates|ignore-duplicates`, `missing=default`',
  ),
};

/** Headers of responses. */
export const SHARED_HEADERS: Readonly<
  Record<string, { readonly description: string; readonly schema: JsonSchema }>
> = {
  ContentRange: {
    description: 'Rows given, and of how many where they were counted',
    schema: { type: 'string' },
  },
  PreferenceApplied: { description: 'Preferences that were followed', schema: { type: 'string' } },
  Location: { description: 'Where the new row is', schema: { type: 'string' } },
};

/** Responses that operations refer to. */
export const SHARED_RESPONSES: Readonly<Record<string, ApiResponse>> = {
  Error: {
    description: 'Refused or failed',
    content: { 'application/json': { schema: componentReference('schemas', 'Error') } },
  },
};

export const SECURITY_SCHEMES = {
  jwt: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'A token whose role claim names the role',
  },
  apiKey: { type: 'apiKey', in: 'header', name: 'apikey', description: 'A key of the project' },
} as const;
