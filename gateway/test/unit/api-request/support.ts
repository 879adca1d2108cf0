import type { ApiRequest } from '../../../api-request/api-request.ts';
import {
  type HttpInput,
  parseApiRequest,
  type RequestSettings,
} from '../../../api-request/parse-api-request.ts';
import type { Field, Filter, Operation, SelectItem } from '../../../api-request/query-params.ts';
import { GatewayError } from '../../../errors/gateway-error.ts';

export const SETTINGS: RequestSettings = {
  dbSchemas: ['public'],
  dbTxEnd: 'commit',
  dbRootSpec: undefined,
  openapiMode: 'follow-privileges',
  cascataEtagEnabled: false,
  cascataKeysetEnabled: false,
};

export function anInput(input: Partial<HttpInput> = {}): HttpInput {
  return { method: 'GET', path: '/items', rawQuery: '', headers: {}, body: undefined, ...input };
}

export function parse(input: Partial<HttpInput> = {}, settings: Partial<RequestSettings> = {}): ApiRequest {
  return parseApiRequest(anInput(input), { ...SETTINGS, ...settings });
}

export interface ShownError {
  readonly code: string;
  readonly message: string;
  readonly details: unknown;
}

/** The error that a call throws, in the parts a client sees; anything but a `GatewayError` is thrown on. */
export function errorOf(call: () => unknown): ShownError {
  try {
    call();
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { code: error.code, message: error.message, details: error.details };
  }
  throw new Error('expected an error');
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function aField(name: string, path: Field['path'] = []): Field {
  return { name, path };
}

export function aColumn(
  name: string,
  rest: Partial<Omit<Extract<SelectItem, { kind: 'field' }>, 'kind' | 'field'>> & {
    path?: Field['path'];
  } = {},
): SelectItem {
  const { path = [], ...others } = rest;
  return {
    kind: 'field',
    field: aField(name, path),
    alias: undefined,
    cast: undefined,
    aggregate: undefined,
    ...others,
  };
}

export function anEmbed(
  name: string,
  select: readonly SelectItem[],
  rest: Partial<Omit<Extract<SelectItem, { kind: 'embed' }>, 'kind' | 'name' | 'select'>> = {},
): SelectItem {
  return { kind: 'embed', name, alias: undefined, hint: undefined, join: undefined, select, ...rest };
}

export function equals(value: string): Operation {
  return { kind: 'compare', operator: 'eq', quantifier: undefined, value };
}

export function aFilter(field: string | Field, operation: Operation, negated = false): Filter {
  return { kind: 'filter', field: typeof field === 'string' ? aField(field) : field, negated, operation };
}
