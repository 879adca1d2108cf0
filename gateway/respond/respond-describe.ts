import { QUERY_MEDIA_TYPE } from '../api-request/query-body.ts';
import type { AddHeaders, HttpResponse } from '../errors/http-response.ts';
import type { DescribePlan } from '../plan/action-plan.ts';
import type { PostgrestSettings } from '../registry/tenant.ts';
import type { Relation } from '../schema-cache/schema-cache.ts';
import { finishResponse } from './finish-response.ts';

const NO_WISHES = { responseHeaders: null, responseStatus: null };
const READ_METHODS = 'OPTIONS,GET,HEAD';

/** What of a tenant's settings makes further methods. */
type MethodSettings = Pick<PostgrestSettings, 'cascataQueryMethodEnabled'>;

/**
 * The answer to OPTIONS (R5, R6): 200 without a body, and the methods that can be used. (A browser's preflight is answered
 * before it gets here.)
 *
 * @param addHeaders of the gateway itself, see `ResponseInput.addHeaders`
 */
export function respondDescribe(
  plan: DescribePlan,
  addHeaders: AddHeaders = () => {},
  { cascataQueryMethodEnabled: hasQuery }: MethodSettings = { cascataQueryMethodEnabled: false },
): HttpResponse {
  const allowed = allowedMethods(plan);
  const headers: Record<string, string> = { 'Access-Control-Allow-Origin': '*', Allow: allowed };
  if (hasQuery && allowed.startsWith(READ_METHODS)) {
    headers.Allow = allowed.replace(READ_METHODS, `${READ_METHODS},QUERY`);
    headers['Accept-Query'] = QUERY_MEDIA_TYPE;
  }
  return finishResponse({ status: 200, headers, body: '' }, NO_WISHES, addHeaders);
}

function allowedMethods(plan: DescribePlan): string {
  switch (plan.kind) {
    case 'options-root':
      return READ_METHODS;
    case 'options-routine':
      return plan.routine.volatility === 'volatile' ? 'OPTIONS,POST' : `${READ_METHODS},POST`;
    case 'options-relation':
      return relationMethods(plan.relation);
    default:
      return plan satisfies never;
  }
}

function relationMethods({ isInsertable, isUpdatable, isDeletable, primaryKey }: Relation): string {
  const methods = [READ_METHODS];
  if (isInsertable) methods.push('POST');
  if (isInsertable && isUpdatable && primaryKey.length > 0) methods.push('PUT');
  if (isUpdatable) methods.push('PATCH');
  if (isDeletable) methods.push('DELETE');
  return methods.join(',');
}
