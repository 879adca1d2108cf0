/**
 * The parts of a Swagger 2.0 document that are written here. Keys are given in the order in which PostgREST writes them, and
 * absent ones are left out.
 */
export type SwaggerType = 'string' | 'boolean' | 'integer' | 'number' | 'array';

export interface Reference {
  readonly $ref: string;
}

export interface Schema {
  readonly description?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly format?: string;
  readonly items?: Schema | Reference;
  readonly maxLength?: number;
  readonly type?: SwaggerType | 'object';
}

export interface Parameter {
  readonly name: string;
  readonly description?: string;
  readonly required: boolean;
  readonly default?: string;
  readonly enum?: readonly string[];
  readonly collectionFormat?: 'multi';
  readonly format?: string;
  readonly in: 'query' | 'header' | 'body';
  readonly items?: Schema;
  readonly schema?: Schema | Reference;
  readonly type?: SwaggerType;
}

export interface Operation {
  readonly tags: readonly string[];
  readonly summary?: string;
  readonly description?: string;
  readonly produces?: readonly string[];
  readonly parameters?: readonly (Parameter | Reference)[];
  readonly responses: Readonly<Record<string, { readonly description: string; readonly schema?: Schema }>>;
}

export interface PathItem {
  readonly get?: Operation;
  readonly post?: Operation;
  readonly delete?: Operation;
  readonly patch?: Operation;
}

export function parameterReference(name: string): Reference {
  return { $ref: `#/parameters/${name}` };
}

export function definitionReference(name: string): Reference {
  return { $ref: `#/definitions/${name}` };
}

/** A comment's first line and what follows it, without the empty lines between. */
export function splitComment(comment: string | undefined): {
  readonly first: string | undefined;
  readonly rest: string | undefined;
} {
  if (comment === undefined) return { first: undefined, rest: undefined };
  const end = comment.indexOf('\n');
  if (end === -1) return { first: comment, rest: undefined };
  const rest = comment.slice(end).replace(/^\n+/, '');
  return { first: comment.slice(0, end), rest: rest === '' ? undefined : rest };
}
