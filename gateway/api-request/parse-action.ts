import { GatewayError } from '../errors/gateway-error.ts';
import type { PostgrestSettings } from '../registry/tenant.ts';
import type { Action, Method, Mutation } from './api-request.ts';
import { percentDecode } from './query-string.ts';

/** What a path names, whatever the method. */
export type Resource =
  | { readonly kind: 'root' }
  | { readonly kind: 'relation'; readonly name: string }
  | { readonly kind: 'routine'; readonly name: string };

const ROOT: Resource = { kind: 'root' };

/**
 * Reads a path: `/`, `/relation` or `/rpc/function` (R1). With `db-root-spec` the root is that function.
 *
 * @param path below the endpoint's prefix, still percent-encoded
 * @throws {GatewayError} PGRST125 for any other path
 */
export function parseResource(
  path: string,
  settings: Pick<PostgrestSettings, 'dbRootSpec' | 'openapiMode'>,
): Resource {
  if (path === '' || path === '/') {
    const { dbRootSpec, openapiMode } = settings;
    if (dbRootSpec === undefined || openapiMode === 'disabled') return ROOT;
    return { kind: 'routine', name: dbRootSpec.slice(dbRootSpec.lastIndexOf('.') + 1) };
  }
  const below = path.startsWith('/') ? path.slice(1) : path;
  const slash = below.indexOf('/');
  if (slash === -1) return { kind: 'relation', name: decodeSegment(below) };
  const name = below.slice(slash + 1);
  if (!name.includes('/') && decodeSegment(below.slice(0, slash)) === 'rpc') {
    return { kind: 'routine', name: decodeSegment(name) };
  }
  throw new GatewayError('PGRST125');
}

/** A path that is not UTF-8 names nothing that exists; its bytes are replaced so that the answer can be a plain 404. */
export function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  return percentDecode(segment) ?? decodeLossy(segment);
}

function decodeLossy(text: string): string {
  const encoder = new TextEncoder();
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const hex = text[i] === '%' ? /^[0-9a-f]{2}/i.exec(text.slice(i + 1, i + 3))?.[0] : undefined;
    if (hex === undefined) {
      bytes.push(...encoder.encode(text[i]!));
    } else {
      bytes.push(Number.parseInt(hex, 16));
      i += 2;
    }
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  POST: 'create',
  PATCH: 'update',
  PUT: 'single-upsert',
  DELETE: 'delete',
};

/** A method that `parseAction` accepted, with what it asks for. */
export interface MethodAndAction {
  readonly method: Method;
  readonly action: Action;
}

/**
 * Combines method and resource (R2, R3).
 *
 * @throws {GatewayError} PGRST101 for a call, PGRST117 for anything else by a method that it does not have
 */
export function parseAction(resource: Resource, method: string): MethodAndAction {
  switch (resource.kind) {
    case 'root':
      return rootAction(method);
    case 'relation':
      return relationAction(resource.name, method);
    case 'routine':
      return routineAction(resource.name, method);
    default:
      return resource satisfies never;
  }
}

function rootAction(method: string): MethodAndAction {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return { method, action: { kind: 'inspect-root', headersOnly: method === 'HEAD' } };
    case 'OPTIONS':
      return { method, action: { kind: 'options-root' } };
    default:
      throw unsupportedMethod(method);
  }
}

function relationAction(relation: string, method: string): MethodAndAction {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return { method, action: { kind: 'read', relation, headersOnly: method === 'HEAD' } };
    case 'POST':
    case 'PATCH':
    case 'PUT':
    case 'DELETE':
      return { method, action: { kind: 'mutate', relation, mutation: MUTATIONS[method]! } };
    case 'OPTIONS':
      return { method, action: { kind: 'options-relation', relation } };
    default:
      throw unsupportedMethod(method);
  }
}

function routineAction(routine: string, method: string): MethodAndAction {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return { method, action: { kind: 'call', routine, invocation: 'get', headersOnly: method === 'HEAD' } };
    case 'POST':
      return { method, action: { kind: 'call', routine, invocation: 'post', headersOnly: false } };
    case 'OPTIONS':
      return { method, action: { kind: 'options-routine', routine } };
    default:
      throw new GatewayError('PGRST101', { message: `Cannot use the ${method} method on RPC` });
  }
}

function unsupportedMethod(method: string): GatewayError {
  return new GatewayError('PGRST117', { message: `Unsupported HTTP method: ${method}` });
}
