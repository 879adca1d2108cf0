import type { Schema, SwaggerType } from './swagger.ts';

const TYPES: Readonly<Record<string, SwaggerType>> = {
  'character varying': 'string',
  character: 'string',
  text: 'string',
  boolean: 'boolean',
  smallint: 'integer',
  integer: 'integer',
  bigint: 'integer',
  numeric: 'number',
  real: 'number',
  'double precision': 'number',
};

/** The formats that Swagger has for integers; every other format is PostgreSQL's own name of the type. */
const FORMATS: Readonly<Record<string, string>> = { smallint: 'int32', integer: 'int32', bigint: 'int64' };

/** A type's Swagger type; `undefined` for json and jsonb, which may be anything. */
export function swaggerType(type: string): SwaggerType | undefined {
  if (type === 'json' || type === 'jsonb') return undefined;
  return TYPES[type] ?? (type.endsWith('[]') ? 'array' : 'string');
}

export function swaggerFormat(type: string): string {
  return FORMATS[type] ?? type;
}

/** Type of an array's elements: `integer[]` → `integer`. */
export function elementType(type: string): string {
  return type.slice(0, -2);
}

/** `items` of an array's schema; `undefined` for other types. */
export function swaggerItems(type: string): Schema | undefined {
  return swaggerType(type) === 'array' ? typed({}, swaggerType(elementType(type))) : undefined;
}

/** Adds `type`, which comes last, where there is one. */
export function typed<T extends object>(
  schema: T,
  type: SwaggerType | undefined,
): T & { readonly type?: SwaggerType } {
  return type === undefined ? schema : { ...schema, type };
}
