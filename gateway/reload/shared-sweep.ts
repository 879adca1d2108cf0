import type { SchemaCacheStore } from '../schema-cache/schema-cache-store.ts';

export interface SharedSweepOptions {
  readonly schemaCaches: Pick<SchemaCacheStore, 'held' | 'reload' | 'expire'>;
  /** Milliseconds from the first notification to the reading: a migration sends many. Default: 100. */
  readonly debounceMs?: number;
  /** Least time in milliseconds between two readings of one tenant's catalog for this reason. Default: 2 s. */
  readonly minAgeMs?: number;
  /** A picture that no request used for so many milliseconds waits for the next one. Default: 60 s. */
  readonly inUseMs?: number;
}

/**
 * Follows `NOTIFY pgrst` in the database that many tenants share. A notification there cannot say whose schema changed, and any
 * tenant can send it. So every picture may be out of date; those in use are read again one after another, and none more often than
 * `minAgeMs`, so that a tenant that notifies all day costs the others one catalog query at a time and no request.
 */
export class SharedSweep {
  readonly #options: Required<SharedSweepOptions>;
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isWanted = false;

  constructor(options: SharedSweepOptions) {
    this.#options = { debounceMs: 100, minAgeMs: 2_000, inUseMs: 60_000, ...options };
  }

  /** Something has changed in the shared database. */
  notify(): void {
    this.#startIn(this.#options.debounceMs);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  #startIn(delayMs: number): void {
    if (this.#closing.signal.aborted) return;
    if (this.#running !== undefined) {
      this.#isWanted = true;
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#sweep().finally(() => {
        this.#running = undefined;
        if (this.#isWanted) {
          this.#isWanted = false;
          this.notify();
        }
      });
    }, delayMs).unref();
  }

  async #sweep(): Promise<void> {
    const { schemaCaches, minAgeMs, inUseMs } = this.#options;
    const changedAt = Date.now();
    const shared = schemaCaches.held().filter(({ tenant }) => tenant.placement.kind === 'shared');
    const [idle, inUse] = partition(shared, ({ usedAt }) => usedAt < changedAt - inUseMs);
    for (const { tenant } of idle) schemaCaches.expire(tenant.id);
    // Oldest first, so that none waits for one that was read a moment ago.
    for (const { tenant, loadedAt } of inUse.toSorted((a, b) => a.loadedAt - b.loadedAt)) {
      const waitMs = loadedAt + minAgeMs - Date.now();
      if (waitMs > 0) await pause(waitMs, this.#closing.signal);
      if (this.#closing.signal.aborted) return;
      await schemaCaches.reload(tenant.id);
    }
  }
}

/** Ends early on abort. */
function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, delayMs).unref();
    const onAbort = (): void => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

function partition<T>(
  items: readonly T[],
  belongs: (item: T) => boolean,
): readonly [readonly T[], readonly T[]] {
  return [items.filter(belongs), items.filter((item) => !belongs(item))];
}
