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

/** Keeps each tenant within its `max_in_flight`, its `max_queue` and its `max_queue_wait_ms`. */
export class InFlightLimit {
  readonly #running = new Map<TenantId, Running>();
  #timer: NodeJS.Timeout | undefined;

  /** Runs `work` when it is the tenant's turn. @throws {GatewayError} as `enter`, as a rejection */
  run<T>(tenant: Tenant, signal: Abortable, work: () => Promise<T>): Promise<T> {
    return tenant.limits.maxInFlight === undefined ? work() : this.#runCounted(tenant, signal, work);
  }

  /**
   * Waits for the tenant's turn, and counts a transaction until what it resolves with is called.
   *
   * @throws {GatewayError} `GW301` (429) when there is room neither to run nor to wait, `GW306` (429) after too long a wait, `GW902`
   * when the client has gone
   */
  async enter({ id, limits }: Tenant, signal: Abortable): Promise<() => void> {
    const { maxInFlight, maxQueue = 0, maxQueueWaitMs = Number.POSITIVE_INFINITY } = limits;
    if (maxInFlight === undefined) return NOTHING;
    const running = this.#of(id);
    if (running.count < maxInFlight) running.count++;
    else if (running.waiting.size < maxQueue) {
      // Whoever ends hands its place over, so the count stays.
      await this.#wait(running, maxQueueWaitMs, signal);
    } else throw tooMany(maxInFlight, maxQueue);
    return () => this.#leave(id, running);
  }

  async #runCounted<T>(tenant: Tenant, signal: Abortable, work: () => Promise<T>): Promise<T> {
    const leave = await this.enter(tenant, signal);
    try {
      return await work();
    } finally {
      leave();
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

const NOTHING = (): void => {};
