import type { ApiRequest } from '../api-request/api-request.ts';
import type { Payload } from '../api-request/payload.ts';
import type { Filter, Positioned } from '../api-request/query-params.ts';
import { isOpenOperation } from '../api-request/query-shape.ts';

/** Begins what stands for an operand while a template is made. A query whose constant parts hold it never becomes one. */
export const MARK = '\u{f8ff}operand ';

/**
 * Everything that a request's plan and statements depend on besides operands, tenant and picture. `undefined` where that cannot be said in a text that is short and
 * has one meaning.
 */
export function templateKey(request: ApiRequest): string | undefined {
  const { method, schema, headers, query, conditional } = request;
  const target = targetOf(request);
  if (target === undefined || query.shape === undefined) return undefined;
  const tagged = conditional === undefined ? '' : '#';
  return `${schema}\0${method}${tagged}\0${target}\0${headers.accept}\0${headers.prefer}\0${headers.range}\0${query.shape}`;
}

/** What is asked for, and what kind of body comes with it. */
function targetOf({ action, payload, conditional }: ApiRequest): string | undefined {
  switch (action.kind) {
    case 'read':
      return `read\0${action.relation}`;
    case 'call': {
      const shape = payloadShape(payload);
      return shape === undefined ? undefined : `call\0${action.routine}\0${shape}`;
    }
    case 'mutate': {
      // A PUT compares its filters with its body, and what a body without keys means depends on its text.
      if (action.mutation === 'single-upsert' || conditional !== undefined) return undefined;
      const shape = payload?.kind === 'json' && payload.keys.length === 0 ? undefined : payloadShape(payload);
      return shape === undefined ? undefined : `${action.mutation}\0${action.relation}\0${shape}`;
    }
    default:
      return undefined;
  }
}

/** Keys of a body are kept in keys of templates, and a body may have any number. */
const MAX_KEYS_LENGTH = 4_000;

/** The body's form and keys; its text is an operand. `undefined`: other bodies than JSON are rare and are planned each time. */
export function payloadShape(payload: Payload | undefined): string | undefined {
  if (payload === undefined) return '';
  if (payload.kind !== 'json' || payload.isCsv) return undefined;
  let keys = '';
  for (const key of payload.keys) {
    if (key.includes('\0')) return undefined;
    keys += `${key}\0`;
  }
  if (keys.length > MAX_KEYS_LENGTH) return undefined;
  return `${payload.isArray ? '[' : '{'}${payload.isUnchecked ? '?' : ''}${keys}`;
}

/** What the key leaves out, in an order that depends on the key alone: operands of filters, arguments, the body. */
export function operandsOf({ query, payload }: ApiRequest): readonly string[] {
  const operands: string[] = [];
  for (const { value } of query.filters) {
    if (isOpenOperation(value.operation)) operands.push(value.operation.value);
  }
  for (const [, value] of query.routineParams) operands.push(value);
  if (payload?.kind === 'json') operands.push(payload.text);
  return operands;
}

/** A copy of the request with marks in place of its operands. */
export function withMarks(request: ApiRequest): ApiRequest {
  let next = 0;
  const { query, payload } = request;
  const filters = query.filters.map((positioned): Positioned<Filter> => {
    const { operation } = positioned.value;
    if (!isOpenOperation(operation)) return positioned;
    return {
      ...positioned,
      value: { ...positioned.value, operation: { ...operation, value: `${MARK}${next++}` } },
    };
  });
  const routineParams = query.routineParams.map(([name]) => [name, `${MARK}${next++}`] as const);
  const marked = { ...request, query: { ...query, filters, routineParams } };
  return payload?.kind === 'json' ? { ...marked, payload: { ...payload, text: `${MARK}${next}` } } : marked;
}

/** Operands of `like` and `ilike`, whose `*` becomes `%`. */
export function patternOperands({ query }: ApiRequest): ReadonlySet<number> {
  const open = query.filters.map((filter) => filter.value.operation).filter(isOpenOperation);
  return new Set(open.flatMap(({ operator }, i) => (operator === 'like' || operator === 'ilike' ? [i] : [])));
}
