export interface RecentEntriesOptions<V> {
  readonly maxEntries: number;
  /** Bytes of a value; its key is counted besides. */
  readonly weigh: (value: V) => number;
  /** Told how many bytes were added, or let go of when negative. */
  readonly onWeight: (bytes: number) => void;
}

/**
 * A bounded map that keeps what was asked for lately. Entries live in two generations: the older one is let go of when the younger is
 * full, and what was asked for meanwhile has moved. A hit costs one look-up and writes nothing, unlike in a list ordered by use.
 */
export class RecentEntries<V> {
  readonly #options: RecentEntriesOptions<V>;
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  #youngBytes = 0;
  #oldBytes = 0;

  constructor(options: RecentEntriesOptions<V>) {
    this.#options = options;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    const { maxEntries, weigh, onWeight } = this.#options;
    if (this.#young.size >= maxEntries / 2 && !this.#young.has(key)) this.#turn();
    const bytes = weigh(value) + key.length;
    this.#young.set(key, value);
    this.#youngBytes += bytes;
    onWeight(bytes);
  }

  #turn(): void {
    this.#options.onWeight(-this.#oldBytes);
    this.#old = this.#young;
    this.#oldBytes = this.#youngBytes;
    this.#young = new Map();
    this.#youngBytes = 0;
  }
}
