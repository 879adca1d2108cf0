import { GatewayError } from '../errors/gateway-error.ts';
import type { Tenant, TenantId } from '../registry/tenant.ts';
import type { TenantCache } from './tenant-cache.ts';

export interface WriteHoldOptions {
  readonly cache: Pick<TenantCache, 'get' | 'invalidate'>;
  /** Of one tenant, in this process. Each keeps its request in memory. */
  readonly maxRequests: number;
  /** Longest wait of one request. */
  readonly timeoutMs: number;
}

/** Notifications end the wait; this is for the case that one does not come. */
const LOOK_AGAIN_MS = 500;

interface Waiter {
  readonly resolve: (tenant: Tenant) => void;
  readonly reject: (error: unknown) => void;
}

interface Waiting {
  readonly tenant: Tenant;
  readonly waiters: Set<Waiter>;
  isLooking: boolean;
  /** A change was announced while the registry was being read. */
  isStale: boolean;
  timer: NodeJS.Timeout;
}

/**
 * Writes to tenants that are being moved wait here, in the order they came, until the registry says where the tenant is now. Nothing is
 * kept for tenants that are not.
 */
export class WriteHold {
  readonly #options: WriteHoldOptions;
  readonly #waiting = new Map<TenantId, Waiting>();

  constructor(options: WriteHoldOptions) {
    this.#options = options;
  }

  /** Writes that wait. For metrics. */
  get count(): number {
    return [...this.#waiting.values()].reduce((sum, { waiters }) => sum + waiters.size, 0);
  }

  /**
   * Resolves with the tenant as it is once it is no longer being moved.
   *
   * Rejects with `GW103` (503, `Retry-After`) when too many wait already or the wait is too long, and with what `TenantCache.get` rejects with.
   */
  wait(tenant: Tenant): Promise<Tenant> {
    const waiting = this.#waiting.get(tenant.id) ?? this.#begin(tenant);
    if (waiting.waiters.size >= this.#options.maxRequests)
      throw tooLong('Too many writes are waiting for it');
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#leave(waiting, waiter);
        reject(tooLong('The wait was too long'));
      }, this.#options.timeoutMs);
      const waiter: Waiter = {
        resolve: (found) => {
          clearTimeout(timer);
          resolve(found);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      waiting.waiters.add(waiter);
    });
  }

  /** A notification says that something of the tenant has changed; the cache has been told before. */
  lookAgain(tenantId: string): void {
    const waiting = this.#waiting.get(tenantId as TenantId);
    if (waiting !== undefined) void this.#look(waiting); // It never rejects.
  }

  /**
   * The tenant as the registry has it, whatever the cache holds: a write was refused by the place it was sent to.
   *
   * Rejects as `TenantCache.get`.
   */
  async current(tenant: Tenant): Promise<Tenant> {
    this.#options.cache.invalidate({ tenantId: tenant.id, hosts: [] });
    return this.#read(tenant);
  }

  #begin(tenant: Tenant): Waiting {
    const timer = setInterval(() => {
      this.#options.cache.invalidate({ tenantId: tenant.id, hosts: [] });
      this.lookAgain(tenant.id);
    }, LOOK_AGAIN_MS);
    const waiting: Waiting = { tenant, waiters: new Set(), isLooking: false, isStale: false, timer };
    this.#waiting.set(tenant.id, waiting);
    // It may have been moved between this request's look at the registry and now, and the notification with it.
    void this.#look(waiting); // It never rejects.
    return waiting;
  }

  async #look(waiting: Waiting): Promise<void> {
    waiting.isStale = true;
    if (waiting.isLooking) return;
    waiting.isLooking = true;
    try {
      while (waiting.isStale) {
        waiting.isStale = false;
        const tenant = await this.#read(waiting.tenant);
        if (tenant.status !== 'moving') this.#end(waiting, ({ resolve }) => resolve(tenant));
      }
    } catch (error) {
      this.#end(waiting, ({ reject }) => reject(error));
    } finally {
      waiting.isLooking = false;
    }
  }

  async #read({ hosts }: Tenant): Promise<Tenant> {
    const [host] = hosts;
    const found = host === undefined ? undefined : await this.#options.cache.get(host);
    if (found === undefined) throw new GatewayError('GW101');
    if (found.status === 'suspended') throw new GatewayError('GW102');
    return found;
  }

  #end(waiting: Waiting, settle: (waiter: Waiter) => void): void {
    const waiters = [...waiting.waiters];
    waiting.waiters.clear();
    this.#forget(waiting);
    for (const waiter of waiters) settle(waiter);
  }

  #leave(waiting: Waiting, waiter: Waiter): void {
    waiting.waiters.delete(waiter);
    if (waiting.waiters.size === 0) this.#forget(waiting);
  }

  #forget(waiting: Waiting): void {
    clearInterval(waiting.timer);
    if (this.#waiting.get(waiting.tenant.id) === waiting) this.#waiting.delete(waiting.tenant.id);
  }
}

function tooLong(details: string): GatewayError {
  return new GatewayError('GW103', {
    details,
    hint: 'Nothing has been written. Retry after the time that the header Retry-After gives, in seconds.',
    headers: { 'Retry-After': '2' },
  });
}
