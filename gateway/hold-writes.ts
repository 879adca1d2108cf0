import { ForwardedError } from './errors/forwarded-error.ts';
import { GatewayError } from './errors/gateway-error.ts';
import { isMovedError } from './errors/moved-error.ts';
import type { TransactionRequest } from './query/transaction-request.ts';
import type { Tenant } from './registry/tenant.ts';
import type { OnUpstream } from './run-on-upstream.ts';
import type { WriteHold } from './tenants/write-hold.ts';

/** A tenant may be moved again while a write waits; whoever is refused this often comes back later. */
const MAX_MOVES = 3;

/**
 * Has writes of a tenant that is being moved wait, and then run where the tenant is by then: its names are the same there, so the statements are too. A write that
 * this process sends to a place the tenant has left, because it has not heard of the move, is refused there as a whole and goes the same way.
 * Reads go on. A write whose tenant is at another installation by then rejects with a `ForwardedError`.
 */
export function holdWrites(on: OnUpstream, hold: WriteHold): OnUpstream {
  const write = async <T>(
    tenant: Tenant,
    signal: { readonly aborted: boolean },
    work: (tenant: Tenant) => Promise<T>,
  ): Promise<T> => {
    let place = tenant;
    for (let moves = 0; ; moves++) {
      if (place.status === 'moving') {
        const found = await hold.wait(place);
        if (signal.aborted) throw new GatewayError('GW902');
        if (found.forward !== undefined) throw new ForwardedError(found);
        place = found;
      }
      try {
        return await work(place);
      } catch (error) {
        if (!isMovedError(error)) throw error;
        const found = await hold.current(place);
        if (found.forward !== undefined) throw new ForwardedError(found);
        if ((found.epoch === place.epoch && found.status !== 'moving') || moves === MAX_MOVES) {
          throw new GatewayError('GW103', { headers: { 'Retry-After': '2' }, cause: error });
        }
        place = found;
      }
    }
  };
  const isWrite = ({ accessMode }: TransactionRequest) => accessMode !== 'read only';
  return {
    runTransaction: (tenant, request, options) =>
      isWrite(request)
        ? write(tenant, options.signal, (place) => on.runTransaction(place, request, options))
        : on.runTransaction(tenant, request, options),
    streamTransaction: (tenant, request, options) =>
      isWrite(request)
        ? write(tenant, options.signal, (place) => on.streamTransaction(place, request, options))
        : on.streamTransaction(tenant, request, options),
  };
}
