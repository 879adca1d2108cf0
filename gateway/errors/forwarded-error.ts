import type { Tenant } from '../registry/tenant.ts';
import { GatewayError } from './gateway-error.ts';

/**
 * A write waited for the move of its tenant, or came too late to the place it was sent to, and the tenant is at another installation now: nothing has
 * happened here, and the whole request is to be sent there. Where nobody sends it, the client is told to come back.
 */
export class ForwardedError extends GatewayError {
  readonly tenant: Tenant;

  constructor(tenant: Tenant) {
    super('GW103', { headers: { 'Retry-After': '1' } });
    this.tenant = tenant;
  }
}

/** Others may have wrapped it, as a batch does to say which request failed. */
const MAX_CAUSES = 4;

/** The tenant that a failed request is to be forwarded for; `undefined` when it failed for another reason. */
export function forwardedTenant(error: unknown): Tenant | undefined {
  let cause = error;
  for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth++) {
    if (cause instanceof ForwardedError) return cause.tenant;
    cause = cause.cause;
  }
  return undefined;
}
