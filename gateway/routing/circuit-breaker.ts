import { isDatabaseError } from '../errors/database-error.ts';
import { GatewayError } from '../errors/gateway-error.ts';
import type { Observe } from '../platform/observation.ts';
import type { Upstream } from './upstream.ts';

/** Failures one after another, without an answer in between, that open it. */
const FAILURES_TO_OPEN = 3;
const FIRST_OPEN_MS = 1_000;
/** A tenant's own server may be gone for good. */
const MAX_OPEN_MS = 30_000;
/** All shared tenants wait for this one, so it is tried often. */
const MAX_OPEN_SHARED_MS = 1_000;
/** A probe that has not come back by then may be a long statement on a server that is well again: another request goes through. */
const PROBE_PATIENCE_MS = 2_000;
/** Upstreams in trouble that are remembered; beyond it the oldest is forgotten and begins anew. */
const MAX_REMEMBERED = 10_000;

/** No connection can be made, or nothing comes back within the deadline. */
const FAILURE_CODES: ReadonlySet<string> = new Set(['PGRST000', 'GW202']);

interface Trouble {
  failures: number;
  /** 0: closed, requests go through and are counted. */
  openUntilMs: number;
  openMs: number;
  isProbing: boolean;
  probedAtMs: number;
  reason: string | undefined;
}

/**
 * Keeps requests away from upstreams that do not answer, so that each is refused at once instead of waiting for a timeout and holding connections meanwhile.
 * After some failures in a row it opens; when its time is over one request goes through as a probe (half-open), whose answer closes it and
 * whose failure opens it again, for twice the time. Healthy upstreams have no entry: for them both calls are one look-up.
 */
export class CircuitBreaker {
  readonly #troubles = new Map<string, Trouble>();
  readonly #observe: Observe;
  readonly #now: () => number;

  constructor({ observe, now = Date.now }: { readonly observe: Observe; readonly now?: () => number }) {
    this.#observe = observe;
    this.#now = now;
  }

  /** Upstreams that get no requests at the moment, or one as a probe. For metrics. */
  get openCount(): number {
    return [...this.#troubles.values()].filter(({ openUntilMs }) => openUntilMs > 0).length;
  }

  /**
   * Lets a request through; `settle` must follow with what became of it.
   *
   * @throws {GatewayError} GW203 while the upstream is left alone, with `Retry-After`
   */
  admit({ key, name }: Pick<Upstream, 'key' | 'name'>): void {
    if (this.#troubles.size === 0) return;
    const trouble = this.#troubles.get(key);
    if (trouble === undefined || trouble.openUntilMs === 0) return;
    const now = this.#now();
    const restMs = trouble.openUntilMs - now;
    if (restMs > 0 || (trouble.isProbing && now - trouble.probedAtMs < PROBE_PATIENCE_MS)) {
      throw new GatewayError('GW203', {
        details: trouble.reason,
        hint: 'Retry after the time that the header Retry-After gives, in seconds.',
        headers: { 'Retry-After': String(Math.max(1, Math.ceil(restMs / 1000))) },
      });
    }
    if (!trouble.isProbing) this.#observe({ kind: 'upstream-breaker', upstream: name, state: 'half-open' });
    trouble.isProbing = true;
    trouble.probedAtMs = now;
  }

  /** @param error what the request failed with; absent when it did not */
  settle(upstream: Pick<Upstream, 'key' | 'name' | 'pooling'>, error?: unknown): void {
    if (error === undefined || isDatabaseError(error)) {
      if (this.#troubles.size > 0) this.#recover(upstream);
    } else if (error instanceof GatewayError && FAILURE_CODES.has(error.code)) {
      this.#fail(upstream, error);
    } else {
      // A client that went away, a limit: nothing is known of the server, and the next request is the probe.
      const trouble = this.#troubles.get(upstream.key);
      if (trouble !== undefined) trouble.isProbing = false;
    }
  }

  #recover({ key, name }: Pick<Upstream, 'key' | 'name'>): void {
    const trouble = this.#troubles.get(key);
    if (trouble === undefined) return;
    this.#troubles.delete(key);
    if (trouble.openUntilMs > 0) this.#observe({ kind: 'upstream-breaker', upstream: name, state: 'closed' });
  }

  #fail({ key, name, pooling }: Pick<Upstream, 'key' | 'name' | 'pooling'>, error: GatewayError): void {
    const trouble = this.#troubles.get(key) ?? this.#remember(key);
    trouble.failures++;
    trouble.reason = typeof error.details === 'string' ? error.details : undefined;
    // Those that were under way when it opened say nothing new.
    if (trouble.openUntilMs > 0 && !trouble.isProbing) return;
    if (!trouble.isProbing && trouble.failures < FAILURES_TO_OPEN) return;
    trouble.isProbing = false;
    trouble.openMs = Math.min(
      trouble.openMs === 0 ? FIRST_OPEN_MS : trouble.openMs * 2,
      pooling === 'shared' ? MAX_OPEN_SHARED_MS : MAX_OPEN_MS,
    );
    trouble.openUntilMs = this.#now() + trouble.openMs;
    this.#observe({ kind: 'upstream-breaker', upstream: name, state: 'open', cause: error });
  }

  #remember(key: string): Trouble {
    if (this.#troubles.size >= MAX_REMEMBERED) {
      const [oldest] = this.#troubles.keys();
      if (oldest !== undefined) this.#troubles.delete(oldest);
    }
    const trouble = {
      failures: 0,
      openUntilMs: 0,
      openMs: 0,
      isProbing: false,
      probedAtMs: 0,
      reason: undefined,
    };
    this.#troubles.set(key, trouble);
    return trouble;
  }
}
