/** Something on loan. It stays usable until `release`, evicted or not. */
export interface Lease<V> {
  readonly value: V;
  /** Gives it back; a second call does nothing. */
  release(): void;
}

export type DisposeReason = 'evicted' | 'dropped' | 'closed';

export interface LeasedLruOptions<K, V> {
  /** Bound on the summed weight of what can be found. What was evicted and is still on loan comes on top, until released. */
  readonly maxWeight: number;
  /** Weight of one value, at least 0 and the same each time; 1 when absent. */
  readonly weigh?: (value: V, key: K) => number;
  /** Called once per value, after its last release. */
  readonly dispose: (value: V, key: K, reason: DisposeReason) => Promise<void>;
  /** Told of a `dispose` that failed; nobody waits for it. */
  readonly onDisposeFailed?: (cause: unknown, key: K) => void;
}

interface Entry<K, V> {
  readonly key: K;
  readonly value: V;
  readonly weight: number;
  leases: number;
  /** Set once it is out of the lookup. */
  removed: DisposeReason | undefined;
}

/**
 * An LRU of live resources (connection pools). A plain LRU that closes what it evicts breaks requests that are using it; here an
 * evicted value drains first. Values that nobody holds are evicted before ones on loan, each group least recently used first.
 */
export class LeasedLru<K, V> {
  readonly #options: LeasedLruOptions<K, V>;
  /** In the order of use, the least recent first. */
  readonly #entries = new Map<K, Entry<K, V>>();
  readonly #disposals = new Set<Promise<void>>();
  #weight = 0;
  #draining = 0;
  #isClosed = false;
  #onDrained: (() => void) | undefined;

  constructor(options: LeasedLruOptions<K, V>) {
    this.#options = options;
  }

  /**
   * Leases the value of `key`, made by `create` when there is none.
   *
   * @throws {Error} after `close`
   */
  checkout(key: K, create: (key: K) => V): Lease<V> {
    if (this.#isClosed) throw new Error('checkout from a closed LeasedLru');
    const entry = this.#find(key) ?? this.#add(key, create(key));
    entry.leases++;
    this.#evictBeyond(this.#options.maxWeight, entry);
    let isReleased = false;
    return {
      value: entry.value,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        entry.leases--;
        if (entry.removed !== undefined && entry.leases === 0) this.#endDraining(entry, entry.removed);
      },
    };
  }

  /** Removes `key` from the lookup at once: the next checkout makes a new value. `false` when there was none. */
  drop(key: K): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#remove(entry, 'dropped');
    return true;
  }

  /** `drop` of all keys that `matches` accepts. @returns how many */
  dropWhere(matches: (key: K) => boolean): number {
    return [...this.#entries.keys()].filter(matches).filter((key) => this.drop(key)).length;
  }

  /** Values that can be found, without taking a lease. For metrics. */
  values(): readonly V[] {
    return [...this.#entries.values()].map(({ value }) => value);
  }

  get size(): number {
    return this.#entries.size;
  }

  get weight(): number {
    return this.#weight;
  }

  /** Removed values still on loan. */
  get draining(): number {
    return this.#draining;
  }

  /** Refuses further checkouts, removes everything, and resolves once all is released and disposed of. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const entry of [...this.#entries.values()]) this.#remove(entry, 'closed');
    if (this.#draining > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const before = this.#onDrained;
      this.#onDrained = () => {
        before?.();
        resolve();
      };
      await promise;
    }
    await Promise.all(this.#disposals);
  }

  #find(key: K): Entry<K, V> | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  #add(key: K, value: V): Entry<K, V> {
    const weight = this.#options.weigh?.(value, key) ?? 1;
    const entry: Entry<K, V> = { key, value, weight, leases: 0, removed: undefined };
    this.#entries.set(key, entry);
    this.#weight += weight;
    return entry;
  }

  /** `kept`, being asked for right now, stays even when it alone is too heavy. */
  #evictBeyond(maxWeight: number, kept: Entry<K, V>): void {
    if (this.#weight <= maxWeight) return;
    const others = [...this.#entries.values()].filter((entry) => entry !== kept);
    const idleFirst = [
      ...others.filter(({ leases }) => leases === 0),
      ...others.filter(({ leases }) => leases > 0),
    ];
    for (const entry of idleFirst) {
      if (this.#weight <= maxWeight) return;
      this.#remove(entry, 'evicted');
    }
  }

  #remove(entry: Entry<K, V>, reason: DisposeReason): void {
    this.#entries.delete(entry.key);
    this.#weight -= entry.weight;
    entry.removed = reason;
    if (entry.leases === 0) this.#dispose(entry, reason);
    else this.#draining++;
  }

  #endDraining(entry: Entry<K, V>, reason: DisposeReason): void {
    this.#draining--;
    this.#dispose(entry, reason);
    if (this.#draining === 0) this.#onDrained?.();
  }

  #dispose({ key, value }: Entry<K, V>, reason: DisposeReason): void {
    const { dispose, onDisposeFailed } = this.#options;
    const disposal = (async () => await dispose(value, key, reason))()
      .catch((cause: unknown) => onDisposeFailed?.(cause, key))
      .finally(() => this.#disposals.delete(disposal));
    this.#disposals.add(disposal);
  }
}
