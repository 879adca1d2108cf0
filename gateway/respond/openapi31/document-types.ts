/** The parts of an OpenAPI 3.1 document that are written here; schemas are JSON Schema 2020-12. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly format?: string;
  readonly enum?: readonly (string | null)[];
  readonly default?: unknown;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly readOnly?: boolean;
  readonly contentMediaType?: string;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
}

export interface Reference {
  readonly $ref: string;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'header';
  readonly description?: string;
  readonly required?: boolean;
  readonly style?: 'form';
  readonly explode?: boolean;
  readonly schema: JsonSchema;
}

export type Content = Readonly<Record<string, { readonly schema?: JsonSchema }>>;

export interface Body {
  readonly description?: string;
  readonly required: boolean;
  readonly content: Content;
}

export interface ApiResponse {
  readonly description: string;
  readonly headers?: Readonly<Record<string, Reference>>;
  readonly content?: Content;
}

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary?: string;
  readonly description?: string;
  readonly parameters?: readonly (Parameter | Reference)[];
  readonly requestBody?: Body;
  readonly responses: Readonly<Record<string, ApiResponse | Reference>>;
}

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
export type PathItem = { readonly [M in Method]?: Operation };

export function componentReference(
  kind: 'schemas' | 'parameters' | 'responses' | 'headers',
  key: string,
): Reference {
  return { $ref: `#/components/${kind}/${key}` };
}
