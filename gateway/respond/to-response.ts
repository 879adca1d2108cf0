import type { HttpResponse } from '../errors/http-response.ts';
import { respondExplain } from './respond-explain.ts';
import { respondMutation } from './respond-mutation.ts';
import { respondRoot } from './respond-root.ts';
import { respondCall, respondRead } from './respond-rows.ts';
import type { ResponseInput } from './response-input.ts';

/**
 * The last stage: turns what the database gave into the HTTP response PostgREST would give. The body's text is never looked at.
 *
 * @throws {GatewayError} PGRST111 or PGRST112 when the database asked for headers or a status that cannot be; PGRSTX00 when its
 *   answer is not of the main query's form
 */
export function toResponse(input: ResponseInput): HttpResponse {
  const { plan } = input;
  if (plan.kind === 'inspect-root') return respondRoot(input, plan);
  if (plan.explain !== undefined) return respondExplain(input, plan.explain);
  switch (plan.kind) {
    case 'read':
      return respondRead(input, plan);
    case 'mutate':
      return respondMutation(input, plan);
    case 'call':
      return respondCall(input, plan);
    default:
      return plan satisfies never;
  }
}
