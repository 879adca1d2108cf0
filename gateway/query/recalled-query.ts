import type { Action, ApiRequest } from '../api-request/api-request.ts';
import { payloadShape } from './template-key.ts';

/** What a request's template was found by, besides its query string. */
export interface TemplateFacts {
  readonly action: Action['kind'];
  readonly name: string | undefined;
  readonly method: string;
  readonly schema: string;
  readonly isConditional: boolean;
  readonly accept: string | undefined;
  readonly prefer: string | undefined;
  readonly range: string | undefined;
  readonly payload: string | undefined;
}

export function templateFacts(request: ApiRequest): TemplateFacts {
  const { action, method, schema, headers, conditional, payload } = request;
  return {
    action: action.kind,
    name: nameOf(action),
    method,
    schema,
    isConditional: conditional !== undefined,
    accept: headers.accept,
    prefer: headers.prefer,
    range: headers.range,
    payload: payloadShape(payload),
  };
}

/** Whether the template of these facts is that of a request with the same query string. Cheaper than a key, which has to be joined and hashed. */
export function hasFacts(request: ApiRequest, facts: TemplateFacts): boolean {
  const { action, method, schema, headers, conditional, payload } = request;
  return (
    action.kind === facts.action &&
    nameOf(action) === facts.name &&
    method === facts.method &&
    schema === facts.schema &&
    (conditional !== undefined) === facts.isConditional &&
    headers.accept === facts.accept &&
    headers.prefer === facts.prefer &&
    headers.range === facts.range &&
    payloadShape(payload) === facts.payload
  );
}

function nameOf(action: Action): string | undefined {
  switch (action.kind) {
    case 'read':
    case 'mutate':
      return action.relation;
    case 'call':
      return action.routine;
    default:
      return undefined;
  }
}
