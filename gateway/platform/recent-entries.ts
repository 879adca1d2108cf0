export interface RecentEntriesOptions<K, V> {
  readonly maxEntries: number;
  /** Default: no bound but the number. */
  readonly maxBytes?: number | undefined;
  /** Bytes of an entry, key and value. */
  readonly weigh: (key: K, value: V) => number;
  /** Told how many bytes were added, or let go of when negative. */
  readonly onWeight?: ((bytes: number) => void) | undefined;
}

/**
 * A bounded map that keeps what was asked for lately. Entries live in two generations: the older one is let go of when the younger is
 * full, and what was asked for meanwhile has moved. A hit costs one look-up and writes nothing, unlike in a list ordered by use.
 */
export class RecentEntries<K, V> {
  readonly #options: RecentEntriesOptions<K, V>;
  #young = new Map<K, V>();
  #old = new Map<K, V>();
  #youngBytes = 0;
  #oldBytes = 0;

  constructor(options: RecentEntriesOptions<K, V>) {
    this.#options = options;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    const { maxEntries, maxBytes = Number.POSITIVE_INFINITY, weigh, onWeight } = this.#options;
    const bytes = weigh(key, value);
    const isFull = this.#young.size >= maxEntries / 2 || this.#youngBytes + bytes > maxBytes / 2;
    if (isFull && !this.#young.has(key)) this.#turn();
    this.#young.set(key, value);
    this.#youngBytes += bytes;
    onWeight?.(bytes);
  }

  #turn(): void {
    this.#options.onWeight?.(-this.#oldBytes);
    this.#old = this.#young;
    this.#oldBytes = this.#youngBytes;
    this.#young = new Map();
    this.#youngBytes = 0;
  }
}
