import { GatewayError } from '../errors/gateway-error.ts';
import type { Tenant, TenantId } from '../registry/tenant.ts';
import type { Abortable } from './abortable.ts';

interface Waiter {
  readonly go: () => void;
  readonly fail: (error: GatewayError) => void;
  readonly untilMs: number;
  readonly signal: Abortable;
}

interface Running {
  count: number;
  /** In the order of arrival. */
  readonly waiting: Set<Waiter>;
}

/** How often those who wait are looked at. */
const WAIT_TICK_MS = 50;

/** Keeps each tenant within its `max_in_flight`, its `max_queue` and its `max_queue_wait_ms`; a tenant without them costs nothing. */
export class InFlightLimit {
  readonly #running = new Map<TenantId, Running>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * Runs `work` when it is the tenant's turn.
   *
   * @throws as a rejection: {GatewayError} `GW301` (429) when there is room neither to run nor to wait, `GW306` (429) after too long a
   * wait, `GW902` when the client has gone
   */
  run<T>(tenant: Tenant, signal: Abortable, work: () => Promise<T>): Promise<T> {
    return tenant.limits.maxInFlight === undefined
      ? work()
      : this.#runCounted(tenant, tenant.limits.maxInFlight, { signal, work });
  }

  async #runCounted<T>(
    { id, limits }: Tenant,
    maxInFlight: number,
    { signal, work }: { readonly signal: Abortable; readonly work: () => Promise<T> },
  ): Promise<T> {
    const running = this.#of(id);
    if (running.count < maxInFlight) running.count++;
    else if (running.waiting.size < (limits.maxQueue ?? 0)) {
      // Whoever ends hands its place over, so the count stays.
      await this.#wait(running, limits.maxQueueWaitMs ?? Number.POSITIVE_INFINITY, signal);
    } else throw tooMany(maxInFlight, limits.maxQueue ?? 0);
    try {
      return await work();
    } finally {
      this.#leave(id, running);
    }
  }

  #of(id: TenantId): Running {
    let running = this.#running.get(id);
    if (running === undefined) {
      running = { count: 0, waiting: new Set() };
      this.#running.set(id, running);
    }
    return running;
  }

  #wait({ waiting }: Running, timeoutMs: number, signal: Abortable): Promise<void> {
    return new Promise((go, fail) => {
      waiting.add({ go, fail, untilMs: Date.now() + timeoutMs, signal });
      this.#timer ??= setInterval(() => this.#sendAway(), WAIT_TICK_MS);
    });
  }

  #leave(id: TenantId, running: Running): void {
    const [next] = running.waiting;
    if (next !== undefined) {
      running.waiting.delete(next);
      next.go();
      return;
    }
    running.count--;
    if (running.count === 0) this.#running.delete(id);
  }

  /** Those who have waited long enough, and those who have gone. The timer stands still when nobody waits. */
  #sendAway(): void {
    const now = Date.now();
    let left = 0;
    for (const { waiting } of this.#running.values()) {
      for (const waiter of waiting) {
        const error = waiter.signal.aborted
          ? new GatewayError('GW902')
          : now >= waiter.untilMs
            ? waitedTooLong()
            : undefined;
        if (error === undefined) left++;
        else if (waiting.delete(waiter)) waiter.fail(error);
      }
    }
    if (left > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function tooMany(maxInFlight: number, maxQueue: number): GatewayError {
  const queue = maxQueue === 0 ? '' : `, and ${maxQueue} may wait`;
  return new GatewayError('GW301', {
    message: `Too many requests: this project may run ${maxInFlight} at once${queue}`,
    hint: 'Wait and try again, or ask the operator for a higher limit.',
    headers: { 'Retry-After': '1' },
  });
}

function waitedTooLong(): GatewayError {
  return new GatewayError('GW306', {
    hint: 'Wait and try again, with fewer requests at once.',
    headers: { 'Retry-After': '1' },
  });
}
