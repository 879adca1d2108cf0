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
  // Most writes need nothing of this, and get one promise for it.
  const write = <T>(attempt: Attempt<T>): Promise<T> => {
    if (attempt.place.status === 'moving') return writeAfterMove(attempt);
    return attempt.work(attempt.place).catch((error: unknown) => follow(error, attempt));
  };
  const writeAfterMove = async <T>(attempt: Attempt<T>): Promise<T> => {
    const found = await hold.wait(attempt.place);
    if (attempt.signal.aborted) throw new GatewayError('GW902');
    if (found.forward !== undefined) throw new ForwardedError(found);
    return write({ ...attempt, place: found });
  };
  const follow = async <T>(error: unknown, attempt: Attempt<T>): Promise<T> => {
    if (!isMovedError(error)) throw error;
    const { place, moves } = attempt;
    const found = await hold.current(place);
    if (found.forward !== undefined) throw new ForwardedError(found);
    if ((found.epoch === place.epoch && found.status !== 'moving') || moves === MAX_MOVES) {
      throw new GatewayError('GW103', { headers: { 'Retry-After': '2' }, cause: error });
    }
    return write({ ...attempt, place: found, moves: moves + 1 });
  };
  const isWrite = ({ accessMode }: TransactionRequest) => accessMode !== 'read only';
  return {
    runTransaction(tenant, request, options) {
      if (!isWrite(request)) return on.runTransaction(tenant, request, options);
      const work = (place: Tenant) => on.runTransaction(place, request, options);
      return write({ place: tenant, moves: 0, signal: options.signal, work });
    },
    streamTransaction(tenant, request, options) {
      if (!isWrite(request)) return on.streamTransaction(tenant, request, options);
      const work = (place: Tenant) => on.streamTransaction(place, request, options);
      return write({ place: tenant, moves: 0, signal: options.signal, work });
    },
  };
}

/** One attempt of a write. */
interface Attempt<T> {
  /** Where the tenant is, as far as is known. */
  readonly place: Tenant;
  /** How often it has been moved meanwhile. */
  readonly moves: number;
  readonly signal: { readonly aborted: boolean };
  readonly work: (place: Tenant) => Promise<T>;
}
