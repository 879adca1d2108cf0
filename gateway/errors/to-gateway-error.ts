import { connectionError } from './connection-error.ts';
import { isDatabaseError } from './database-error.ts';
import { GatewayError } from './gateway-error.ts';
import { guardError } from './guard-error.ts';
import { type ErrorContext, gatewayErrorFromPg } from './pg-error.ts';

/** A cause of a cause of a cause is as deep as our own code wraps; more would be a cycle. */
const MAX_CAUSES = 4;

/**
 * Turns anything thrown on the request path into the one error class, keeping it as `cause`. Call it once, where the response is
 * made. What is not recognised becomes GW901 and shows nothing of itself.
 */
export function toGatewayError(error: unknown, context: ErrorContext): GatewayError {
  let cause = error;
  for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth++) {
    const known = recognise(cause, context);
    if (known !== undefined) return known;
    cause = cause.cause;
  }
  return new GatewayError('GW901', { cause: error });
}

function recognise(error: Error, context: ErrorContext): GatewayError | undefined {
  if (error instanceof GatewayError) return error;
  if (isDatabaseError(error)) return guardError(error) ?? gatewayErrorFromPg(error, context);
  if (error.name === 'AbortError') return new GatewayError('GW902', { cause: error });
  if (error.name === 'TimeoutError') return new GatewayError('GW202', { cause: error });
  return connectionError(error);
}
