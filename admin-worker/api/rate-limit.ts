import { LRUCache } from 'lru-cache';

export interface FailureLimitOptions {
  /** Failures of one address before it is refused. */
  readonly maxFailures: number;
  /** How long a failure counts, in milliseconds. */
  readonly windowMs: number;
  /** Milliseconds since some fixed time. */
  readonly now?: () => number;
}

/** Counts failed attempts by address, over a fixed window that begins with the first. */
export class FailureLimit {
  readonly #options: FailureLimitOptions;
  readonly #windows = new LRUCache<string, { count: number; endsAt: number }>({ max: 10_000 });

  constructor(options: FailureLimitOptions) {
    this.#options = options;
  }

  /** Notes a failure. @returns seconds until the address may try again; `undefined` while it may */
  fail(address: string): number | undefined {
    const now = this.#options.now?.() ?? Date.now();
    const found = this.#windows.get(address);
    const window =
      found === undefined || found.endsAt <= now ? { count: 0, endsAt: now + this.#options.windowMs } : found;
    window.count++;
    this.#windows.set(address, window);
    if (window.count <= this.#options.maxFailures) return undefined;
    return Math.ceil((window.endsAt - now) / 1000);
  }
}
