import type { JsonSchema } from './document-types.ts';

const NUMBERS: ReadonlyMap<string, JsonSchema> = new Map([
  ['smallint', { type: 'integer', format: 'int32' }],
  ['integer', { type: 'integer', format: 'int32' }],
  ['bigint', { type: 'integer', format: 'int64' }],
  ['oid', { type: 'integer', format: 'int64' }],
  ['real', { type: 'number', format: 'float' }],
  ['double precision', { type: 'number', format: 'double' }],
  ['numeric', { type: 'number' }],
  ['boolean', { type: 'boolean' }],
]);

/** Formats of strings that JSON Schema has a name for; others go by PostgreSQL's name of the type. */
const FORMATS: ReadonlyMap<string, string> = new Map([
  ['uuid', 'uuid'],
  ['date', 'date'],
  ['timestamp with time zone', 'date-time'],
]);

const TEXTS: ReadonlySet<string> = new Set(['text', 'character varying', 'character', 'citext', 'name']);
const ANYTHING: ReadonlySet<string> = new Set(['json', 'jsonb']);

/** What a value of a type is in JSON. @param type as `format_type` gives it, logical, without length */
export function typeSchema(type: string): JsonSchema {
  if (ANYTHING.has(type)) return {};
  if (type.endsWith('[]')) return { type: 'array', items: typeSchema(type.slice(0, -2)) };
  const known = NUMBERS.get(type);
  if (known !== undefined) return known;
  return TEXTS.has(type) ? { type: 'string' } : { type: 'string', format: FORMATS.get(type) ?? type };
}

/** The same or `null`. A schema without a type allows it already. */
export function orNull(schema: JsonSchema): JsonSchema {
  const { type, enum: values } = schema;
  if (type === undefined) return schema;
  return {
    ...schema,
    type: [...(typeof type === 'string' ? [type] : type), 'null'],
    ...(values !== undefined && { enum: [...values, null] }),
  };
}
