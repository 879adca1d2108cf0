import { GatewayError } from '../errors/gateway-error.ts';
import { connectReason } from '../platform/connect-reason.ts';
import { RefusedAddressError } from '../platform/network-policy.ts';

/** GW301, for a request beyond its owner's queue. */
export function queueFull(maxQueue: number): GatewayError {
  return new GatewayError('GW301', {
    message: `Too many requests: ${maxQueue} of this project are waiting already`,
    hint: 'Wait and try again, with fewer requests at once.',
    headers: { 'Retry-After': '1' },
  });
}

/** Says what happened, never where: the texts of the cause hold addresses and names. */
export function connectFailure(cause: unknown): GatewayError {
  if (cause instanceof RefusedAddressError) return new GatewayError('GW204', { cause });
  return new GatewayError('PGRST000', { cause, details: sentence(connectReason(cause)) });
}

function sentence(reason: string): string {
  return reason.charAt(0).toUpperCase() + reason.slice(1);
}
