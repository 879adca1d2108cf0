type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
const COMPONENT_KEY = /^[A-Za-z0-9._-]+$/;
const TYPES = ['string', 'number', 'integer', 'boolean', 'array', 'object', 'null'];
/** Keywords of JSON Schema 2020-12 that may stand in the document. */
const KEYWORDS: Readonly<Record<string, (value: Json) => boolean>> = {
  $ref: isString,
  type: (value) => (Array.isArray(value) ? value : [value]).every((type) => TYPES.includes(String(type))),
  title: isString,
  description: isString,
  format: isString,
  enum: (value) => Array.isArray(value) && new Set(value).size === value.length,
  default: () => true,
  maxLength: (value) => typeof value === 'number',
  minimum: (value) => typeof value === 'number',
  readOnly: (value) => typeof value === 'boolean',
  contentMediaType: isString,
  items: isObject,
  properties: isObject,
  required: (value) => Array.isArray(value) && value.length > 0 && value.every(isString),
  additionalProperties: (value) => typeof value === 'boolean',
  oneOf: (value) => Array.isArray(value) && value.length > 0,
  anyOf: (value) => Array.isArray(value) && value.length > 0,
};

/**
 * Everything in a document that OpenAPI 3.1 does not allow, as `path: what`; references that lead nowhere, operation ids that are
 * given twice and schemas that are no JSON Schema included.
 */
export function openApiProblems(text: string): readonly string[] {
  const document = JSON.parse(text) as JsonObject;
  const problems: string[] = [];
  const check = (isRight: boolean, path: string, what: string): void => {
    if (!isRight) problems.push(`${path}: ${what}`);
  };
  check(/^3\.1\.\d+$/.test(String(document.openapi)), 'openapi', 'is no 3.1');
  const info = objectAt(document, 'info');
  check(isString(info.title) && isString(info.version), 'info', 'lacks title or version');
  for (const server of listAt(document, 'servers'))
    check(URL.canParse(String(at(server, 'url'))), 'servers', 'no URL');
  const components = objectAt(document, 'components');
  for (const [kind, entries] of Object.entries(components)) {
    for (const key of Object.keys(entries as JsonObject)) {
      check(COMPONENT_KEY.test(key), `components.${kind}`, `no key: ${key}`);
    }
  }
  const schemes = Object.keys(objectAt(components, 'securitySchemes'));
  for (const requirement of listAt(document, 'security')) {
    for (const name of Object.keys(requirement as JsonObject))
      check(schemes.includes(name), 'security', name);
  }
  walk(document, '#', (value, path) => {
    if ('$ref' in value)
      check(resolve(document, String(value.$ref)) !== undefined, path, `dangling ${String(value.$ref)}`);
  });
  checkPaths(document, check);
  checkSchemas(document, check);
  return problems;
}

type Check = (isRight: boolean, path: string, what: string) => void;

function checkPaths(document: JsonObject, check: Check): void {
  const ids = new Set<string>();
  for (const [path, item] of Object.entries(objectAt(document, 'paths'))) {
    check(/^\/[^{} ?#]*$/.test(path), path, 'no path without parameters');
    for (const [method, value] of Object.entries(item as JsonObject)) {
      const place = `${method} ${path}`;
      const operation = value as JsonObject;
      check(METHODS.includes(method), place, 'no method');
      const id = String(operation.operationId);
      check(/^[\w.-]+$/.test(id) && !ids.has(id), place, `operationId ${id} is missing, odd or given twice`);
      ids.add(id);
      const responses = Object.entries(objectAt(operation, 'responses'));
      check(responses.length > 0, place, 'no response');
      for (const [status, response] of responses) {
        const resolved = (resolve(document, String(at(response, '$ref'))) ?? response) as JsonObject;
        check(
          /^(?:[1-5]\d\d|default)$/.test(status) && isString(resolved.description),
          place,
          `response ${status}`,
        );
      }
      checkParameters(document, operation, { place, check });
      check(method !== 'get' || operation.requestBody === undefined, place, 'a body in a GET');
    }
  }
}

function checkParameters(
  document: JsonObject,
  operation: JsonObject,
  { place, check }: { readonly place: string; readonly check: Check },
): void {
  const seen = new Set<string>();
  for (const parameter of listAt(operation, 'parameters')) {
    const resolved = (resolve(document, String(at(parameter, '$ref'))) ?? parameter) as JsonObject;
    const key = `${String(resolved.in)} ${String(resolved.name)}`;
    check(['query', 'header'].includes(String(resolved.in)) && isObject(resolved.schema ?? null), place, key);
    check(!seen.has(key), place, `${key} twice`);
    seen.add(key);
  }
}

function checkSchemas(document: JsonObject, check: Check): void {
  walk(document, '#', (value, path) => {
    // Only places where the name is the specification's, not a column's.
    if (!/\/schema$|^#\/components\/schemas\/[^/]+$/.test(path) || path.includes('/properties/')) return;
    checkSchema(value, path, check);
  });
}

function checkSchema(schema: JsonObject, path: string, check: Check): void {
  for (const [keyword, value] of Object.entries(schema)) {
    check(KEYWORDS[keyword]?.(value) === true, path, `keyword ${keyword}`);
  }
  if (isObject(schema.items ?? null)) checkSchema(schema.items as JsonObject, `${path}/items`, check);
  for (const [name, property] of Object.entries((schema.properties ?? {}) as JsonObject)) {
    checkSchema(property as JsonObject, `${path}/properties/${name}`, check);
  }
  for (const name of (schema.required ?? []) as readonly string[]) {
    check(name in ((schema.properties ?? {}) as JsonObject), path, `required ${name} is no property`);
  }
  for (const option of [
    ...((schema.oneOf ?? []) as readonly Json[]),
    ...((schema.anyOf ?? []) as readonly Json[]),
  ]) {
    checkSchema(option as JsonObject, `${path}/of`, check);
  }
}

function walk(value: Json, path: string, visit: (value: JsonObject, path: string) => void): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) walk(item as Json, `${path}/${index}`, visit);
  } else if (isObject(value)) {
    visit(value, path);
    for (const [key, child] of Object.entries(value)) {
      walk(child, `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, visit);
    }
  }
}

/** RFC 6901, within the document. */
function resolve(document: JsonObject, reference: string): Json | undefined {
  if (!reference.startsWith('#/')) return undefined;
  let value: Json | undefined = document;
  for (const token of reference.slice(2).split('/')) {
    value = at(value, decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~'));
  }
  return value;
}

function at(value: Json | undefined, key: string): Json | undefined {
  return value !== undefined && isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function objectAt(value: JsonObject, key: string): JsonObject {
  const found = at(value, key);
  return found !== undefined && isObject(found) ? found : {};
}

function listAt(value: JsonObject, key: string): readonly Json[] {
  const found = at(value, key);
  return Array.isArray(found) ? found : [];
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isString(value: Json | undefined): boolean {
  return typeof value === 'string';
}
