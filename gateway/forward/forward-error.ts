import { errors } from 'undici';
import { GatewayError } from '../errors/gateway-error.ts';
import { ConnectFailure } from '../platform/guarded-connector.ts';
import { RefusedAddressError } from '../platform/network-policy.ts';

export interface ForwardFailure {
  readonly error: GatewayError;
  readonly outcome: 'unreachable' | 'broken' | 'timeout' | 'refused' | 'left';
}

/** Whether no connection was had, so that the other installation knows nothing of the request. */
export function wasNotSent(error: unknown): boolean {
  return error instanceof ConnectFailure;
}

/** What a failed attempt to forward is to the client. @param isGone whether the client has left */
export function forwardError(thrown: unknown, isGone: boolean): ForwardFailure {
  if (thrown instanceof GatewayError) {
    return { error: thrown, outcome: thrown.code === 'GW902' ? 'left' : 'refused' };
  }
  if (isGone) return { error: new GatewayError('GW902', { cause: thrown }), outcome: 'left' };
  if (thrown instanceof ConnectFailure) {
    const error = new GatewayError('GW205', {
      details: `${reasonOf(thrown.cause)}. Nothing was sent there`,
      headers: { 'Retry-After': '1' },
      cause: thrown,
    });
    return { error, outcome: 'unreachable' };
  }
  if (thrown instanceof errors.HeadersTimeoutError) {
    return { error: new GatewayError('GW207', { hint: UNKNOWN, cause: thrown }), outcome: 'timeout' };
  }
  // The body that is being passed on may have been too large, or its sender may have left.
  const own = ownError(thrown);
  if (own !== undefined) return forwardError(own, isGone);
  return { error: new GatewayError('GW206', { hint: UNKNOWN, cause: thrown }), outcome: 'broken' };
}

const UNKNOWN = 'A write may have been carried out there all the same: look before it is repeated.';

function ownError(thrown: unknown): GatewayError | undefined {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return cause instanceof GatewayError ? cause : undefined;
}

/** Without names and addresses: they are the operator's, and in the log. */
function reasonOf(cause: unknown): string {
  if (cause instanceof RefusedAddressError) return 'Its address is one that this installation does not allow';
  if (cause instanceof errors.ConnectTimeoutError) return 'It does not answer';
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (/CERT|SSL|TLS|SIGNATURE/.test(code)) return 'Its certificate is not to be trusted';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'Its host name is not known';
  return 'It takes no connections';
}
