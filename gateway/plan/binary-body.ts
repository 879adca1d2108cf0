import type { RoutineReturn } from '../schema-cache/schema-cache.ts';
import type { BodyHandler } from './action-plan.ts';

/**
 * Whether a body is bytes (M8): the main query then gives it as base64.
 *
 * @param returns of the routine that is called, if one is
 */
export function isBinaryBody(body: BodyHandler, returns: RoutineReturn | undefined): boolean {
  if (body.kind === 'builtin') return false;
  if (body.kind === 'aggregate') return body.handler.isBinary === true;
  return returns?.kind === 'scalar' && returns.isBinary === true;
}
