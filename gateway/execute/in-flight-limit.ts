import { GatewayError } from '../errors/gateway-error.ts';
import type { Tenant, TenantId } from '../registry/tenant.ts';

/** Keeps each tenant within its `max_in_flight`; a tenant without one costs nothing. */
export class InFlightLimit {
  readonly #running = new Map<TenantId, number>();

  /** Rejects with `GW301` (429) when the tenant already has as many transactions under way as it may */
  run<T>(tenant: Tenant, work: () => Promise<T>): Promise<T> {
    return tenant.limits.maxInFlight === undefined ? work() : this.#runCounted(tenant, work);
  }

  /** Counts a transaction until what is returned is called. @throws {GatewayError} as `run` */
  enter({ id, limits: { maxInFlight } }: Tenant): () => void {
    if (maxInFlight === undefined) return NOTHING;
    const running = this.#running.get(id) ?? 0;
    if (running >= maxInFlight) {
      throw new GatewayError('GW301', {
        message: `Too many requests: this project may run ${maxInFlight} at once`,
        hint: 'Wait and try again, or ask the operator for a higher limit.',
        headers: { 'Retry-After': '1' },
      });
    }
    this.#running.set(id, running + 1);
    return () => {
      const left = (this.#running.get(id) ?? 1) - 1;
      if (left === 0) this.#running.delete(id);
      else this.#running.set(id, left);
    };
  }

  async #runCounted<T>(tenant: Tenant, work: () => Promise<T>): Promise<T> {
    const leave = this.enter(tenant);
    try {
      return await work();
    } finally {
      leave();
    }
  }
}

const NOTHING = (): void => {};
