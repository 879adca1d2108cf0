import type { ErrorCode } from '../errors/error-codes.ts';
import { GatewayError } from '../errors/gateway-error.ts';

/** A token that was sent and is not good (POSTGREST.md A7): 401 with the challenge that names the reason. */
export function invalidToken(
  code: Extract<ErrorCode, 'PGRST301' | 'PGRST303'>,
  message: string,
  details?: string,
): GatewayError {
  // The messages hold no quotes, so the text needs no escaping inside the challenge.
  const challenge = `Bearer error="invalid_token", error_description="${message}"`;
  return new GatewayError(code, { message, details, headers: { 'WWW-Authenticate': challenge } });
}

/** No token, and the tenant lets nobody in without one. */
export function tokenRequired(): GatewayError {
  return new GatewayError('PGRST302', { headers: { 'WWW-Authenticate': 'Bearer' } });
}
