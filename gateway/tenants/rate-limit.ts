import { GatewayError } from '../errors/gateway-error.ts';
import type { Tenant, TenantId } from '../registry/tenant.ts';

interface Bucket {
  tokens: number;
  /** When `tokens` was true. */
  atMs: number;
}

/** Buckets are looked through this often, and full ones dropped. */
const SWEEP_MS = 10_000;

/** A token bucket for each tenant that has `requests_per_second`; it holds one second's worth. A tenant without one costs nothing. */
export class RateLimit {
  readonly #buckets = new Map<TenantId, Bucket>();
  readonly #now: () => number;
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  /** @param now milliseconds, monotonic */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** @throws {GatewayError} `GW305` (429), with the seconds until there is a token again */
  take({ id, limits: { requestsPerSecond: rate } }: Tenant): void {
    if (rate === undefined) return;
    const nowMs = this.#now();
    if (nowMs - this.#sweptAtMs > SWEEP_MS) this.#sweep(nowMs);
    let bucket = this.#buckets.get(id);
    if (bucket === undefined) {
      bucket = { tokens: rate, atMs: nowMs };
      this.#buckets.set(id, bucket);
    }
    bucket.tokens = Math.min(rate, bucket.tokens + ((nowMs - bucket.atMs) / 1_000) * rate);
    bucket.atMs = nowMs;
    if (bucket.tokens < 1) throw tooFast(rate, bucket.tokens);
    bucket.tokens--;
  }

  /** A bucket that has had the time to fill is as good as none. */
  #sweep(nowMs: number): void {
    this.#sweptAtMs = nowMs;
    for (const [id, { atMs }] of this.#buckets) if (nowMs - atMs > 1_000) this.#buckets.delete(id);
  }
}

function tooFast(rate: number, tokens: number): GatewayError {
  return new GatewayError('GW305', {
    message: `Too many requests in a short time: this project may send ${rate} a second`,
    hint: 'Wait and try again, or ask the operator for a higher limit.',
    headers: { 'Retry-After': String(Math.ceil((1 - tokens) / rate)) },
  });
}
