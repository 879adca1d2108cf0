import { COMPATIBLE_VERSION } from '../../platform/compatible-version.ts';
import { type MediaHandler, type Relation, relationKey } from '../../schema-cache/schema-cache.ts';
import { apiPlace } from '../openapi/base-url.ts';
import { type OpenApiInput, shownOverloads, shownRelations } from '../openapi/open-api-document.ts';
import { splitComment } from '../openapi/swagger.ts';
import { ComponentKeys } from './component-keys.ts';
import type { JsonSchema, Parameter, PathItem } from './document-types.ts';
import { type DocumentKeys, relationOperations, schemaKey } from './relation-operations.ts';
import { type RowForm, relationSchema } from './relation-schemas.ts';
import { routineOperations } from './routine-operations.ts';
import {
  SECURITY_SCHEMES,
  SHARED_HEADERS,
  SHARED_PARAMETERS,
  SHARED_RESPONSES,
  SHARED_SCHEMAS,
} from './shared-components.ts';

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
const FORMS: readonly RowForm[] = ['row', 'insert', 'update'];

/** The OpenAPI 3.1 document of one schema, as JSON text: the same relations and routines as in the 2.0 document. */
export function openApi31Document(input: OpenApiInput): string {
  const { cache, settings, schema } = input;
  const relations = shownRelations(input);
  const keys: DocumentKeys = {
    schemas: new ComponentKeys(Object.keys(SHARED_SCHEMAS)),
    parameters: new ComponentKeys(Object.keys(SHARED_PARAMETERS)),
    operations: new ComponentKeys(['openapi']),
  };
  const { first, rest } = splitComment(cache.schemaDescriptions.get(schema));
  const anyone = settings.openapiSecurityActive ? [] : [{}];
  return JSON.stringify({
    openapi: '3.1.1',
    info: {
      title: first ?? 'PostgREST API',
      ...(rest !== undefined && { description: rest }),
      version: COMPATIBLE_VERSION,
    },
    jsonSchemaDialect: DIALECT,
    servers: [{ url: serverUrl(input) }],
    tags: tags(relations, input),
    security: [{ jwt: [] }, { apiKey: [] }, ...anyone],
    paths: paths(relations, keys, input),
    components: {
      schemas: { ...SHARED_SCHEMAS, ...schemas(relations, keys, input) },
      parameters: { ...SHARED_PARAMETERS, ...filterParameters(relations, keys) },
      responses: SHARED_RESPONSES,
      headers: SHARED_HEADERS,
      securitySchemes: SECURITY_SCHEMES,
    },
    externalDocs: { description: 'PostgREST', url: 'https://postgrest.org/en/v16/references/api.html' },
  });
}

function serverUrl({ settings, baseUrl }: OpenApiInput): string {
  const { host, basePath, schemes } = apiPlace(settings.openapiServerProxyUri, baseUrl);
  const [scheme] = schemes;
  const shownHost = host.replace(scheme === 'http' ? /:80$/ : /:443$/, '');
  return `${scheme}://${shownHost}${basePath === '/' ? '' : basePath}`;
}

function tags(relations: readonly Relation[], input: OpenApiInput): readonly object[] {
  const ofRelations = relations.map(({ name, description }) => ({
    name,
    ...(description !== undefined && { description }),
  }));
  const hasRoutines = shownOverloads(input).length > 0 && relations.every(({ name }) => name !== 'rpc');
  return hasRoutines ? [...ofRelations, { name: 'rpc', description: 'Functions' }] : ofRelations;
}

function paths(
  relations: readonly Relation[],
  keys: DocumentKeys,
  input: OpenApiInput,
): Readonly<Record<string, PathItem>> {
  const all: Record<string, PathItem> = { '/': ROOT };
  for (const relation of relations) {
    const handlers = input.cache.mediaHandlers.filter((handler) => takes(handler, relation));
    all[`/${encodeURIComponent(relation.name)}`] = relationOperations(relation, handlers, keys);
  }
  const shown = new Set(relations.map(({ schema, name }) => relationKey(schema, name)));
  const isShown = ({ schema, name }: Pick<Relation, 'schema' | 'name'>) =>
    shown.has(relationKey(schema, name));
  for (const overloads of shownOverloads(input)) {
    const path = `/rpc/${encodeURIComponent(overloads[0]!.name)}`;
    all[path] = routineOperations(overloads, { naming: input.naming, keys, isShown });
  }
  return all;
}

function takes({ relation }: MediaHandler, { schema, name }: Relation): boolean {
  return relation === undefined || (relation.schema === schema && relation.name === name);
}

function schemas(
  relations: readonly Relation[],
  keys: DocumentKeys,
  input: OpenApiInput,
): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(
    relations.flatMap((relation) =>
      FORMS.map((form) => [schemaKey(relation, form, keys), relationSchema(relation, form, input)] as const),
    ),
  );
}

function filterParameters(
  relations: readonly Relation[],
  keys: DocumentKeys,
): Readonly<Record<string, Parameter>> {
  return Object.fromEntries(
    relations.flatMap((relation) =>
      [...relation.columns.keys()].map((column) => {
        const parameter: Parameter = {
          name: column,
          in: 'query',
          description: `Filter: an operator and a value, \`eq.…\``,
          schema: { type: 'string' },
        };
        return [keys.parameters.of(relation.name, column), parameter] as const;
      }),
    ),
  );
}

const ROOT: PathItem = {
  get: {
    operationId: 'openapi',
    tags: [],
    summary: 'This document',
    responses: {
      200: {
        description: 'OpenAPI 2.0, or 3.1 with `?openapi=3.1`',
        content: { 'application/openapi+json': {}, 'application/vnd.oai.openapi+json;version=3.1': {} },
      },
    },
  },
};
