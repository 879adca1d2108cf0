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
    const source = sourceOf(address);
    const now = this.#options.now?.() ?? Date.now();
    const found = this.#windows.get(source);
    const window =
      found === undefined || found.endsAt <= now ? { count: 0, endsAt: now + this.#options.windowMs } : found;
    window.count++;
    this.#windows.set(source, window);
    if (window.count <= this.#options.maxFailures) return undefined;
    return Math.ceil((window.endsAt - now) / 1000);
  }
}

/** An IPv6 client has a whole /64 to send from: all of it counts as one. IPv4 addresses count each by itself, mapped ones too. */
function sourceOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address;
  const [head = '', tail] = address.split('::', 2);
  const before = head.split(':').filter((group) => group !== '');
  const after = tail === undefined ? [] : tail.split(':');
  const zeros = Array<string>(Math.max(8 - before.length - after.length, 0)).fill('0');
  return [...before, ...(tail === undefined ? [] : zeros), ...after].slice(0, 4).join(':');
}
