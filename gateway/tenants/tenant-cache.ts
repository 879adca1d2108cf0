import { performance } from 'node:perf_hooks';
import { LRUCache } from 'lru-cache';
import { GatewayError } from '../errors/gateway-error.ts';
import type { Observation, Observe } from '../platform/observation.ts';
import { SingleFlight } from '../platform/single-flight.ts';
import type { RegistryReader } from '../registry/registry-reader.ts';
import type { Tenant, TenantId } from '../registry/tenant.ts';

export interface TenantCacheOptions {
  readonly registry: RegistryReader;
  readonly observe: Observe;
  /** Hosts kept; a tenant under a `*.domain` pattern may take several. */
  readonly maxHosts: number;
  /** How long an entry is good without being asked for again; notifications make it shorter. */
  readonly ttlMs: number;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
  /** 0 ≤ x < 1. */
  readonly random?: () => number;
}

interface Entry {
  readonly tenant: Tenant;
  /** Good until here. */
  freshUntilMs: number;
  /** Until here it is handed out while it is read again; after that requests wait for the reading. */
  usableUntilMs: number;
}

// Unknown hosts are anybody's to invent: few are kept, and not for long, so that a new tenant is soon there without a NOTIFY.
const MAX_UNKNOWN_HOSTS = 1_000;
const UNKNOWN_TTL_MS = 2_000;
const LOAD_TIMEOUT_MS = 3_000;
/** One for all requests. */
const HIT: Observation = { kind: 'tenant-cache', outcome: 'hit' };
/** While the registry does not answer: how long an old entry serves before the next attempt. */
const RETRY_MS = 1_000;
// Tenants that were loaded together must not all expire together.
const TTL_JITTER = 0.2;

/**
 * Tenants by host. Entries are read again after `ttlMs` or when a notification names them; while the registry cannot be reached
 * they go on serving, however old.
 */
export class TenantCache {
  readonly #registry: RegistryReader;
  readonly #observe: Observe;
  readonly #ttlMs: number;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #entries: LRUCache<string, Entry>;
  /** Each once, whatever its hosts: much is remembered for as long as a tenant is the same object. */
  readonly #tenants: LRUCache<TenantId, Tenant>;
  /** Host → time until which it is taken for unknown. */
  readonly #unknown: LRUCache<string, number>;
  readonly #flights: SingleFlight<Tenant | undefined>;

  constructor(options: TenantCacheOptions) {
    this.#registry = options.registry;
    this.#observe = options.observe;
    this.#ttlMs = options.ttlMs;
    this.#now = options.now ?? (() => performance.now());
    this.#random = options.random ?? Math.random;
    this.#entries = new LRUCache({ max: options.maxHosts });
    this.#tenants = new LRUCache({ max: options.maxHosts });
    this.#unknown = new LRUCache({ max: MAX_UNKNOWN_HOSTS });
    this.#flights = new SingleFlight({ publish: (host, tenant) => this.#publish(host, tenant) });
  }

  /**
   * The tenant of a host, or `undefined` when there is none. Answers without a promise from the cache.
   *
   * @throws {GatewayError} `GW106` (503) when the registry cannot be reached and the host is not cached
   */
  get(host: string): Tenant | undefined | Promise<Tenant | undefined> {
    const entry = this.#entries.get(host);
    const now = this.#now();
    if (entry !== undefined) {
      if (now < entry.freshUntilMs) {
        this.#observe(HIT);
        return entry.tenant;
      }
      const loading = this.#loadOrStale(host, entry);
      if (now >= entry.usableUntilMs) return loading;
      this.#observe({ kind: 'tenant-cache', outcome: 'stale' });
      return entry.tenant;
    }
    const unknownUntilMs = this.#unknown.get(host);
    if (unknownUntilMs !== undefined && now < unknownUntilMs) {
      this.#observe({ kind: 'tenant-cache', outcome: 'hit' });
      return undefined;
    }
    this.#observe({ kind: 'tenant-cache', outcome: 'miss' });
    return this.#load(host);
  }

  /** How many tenants there are in the cache, whatever the number of their hosts. Looks at every entry: for metrics. */
  countTenants(): number {
    return new Set([...this.#entries.values()].map(({ tenant }) => tenant.id)).size;
  }

  /** Drops what a notification names. What is being read at this moment is read again. */
  invalidate(change: { readonly tenantId: string; readonly hosts: readonly string[] }): void {
    this.#observe({ kind: 'tenant-cache', outcome: 'invalidated' });
    const names = new Set(change.hosts);
    const patterns = change.hosts.filter((host) => host.startsWith('*.')).map((host) => host.slice(1));
    const isNamed = (host: string) => names.has(host) || patterns.some((suffix) => host.endsWith(suffix));
    for (const [host, entry] of this.#entries.entries()) {
      if (entry.tenant.id === change.tenantId || isNamed(host)) expire(entry);
    }
    for (const host of [...this.#unknown.keys()]) {
      if (isNamed(host)) this.#unknown.delete(host);
    }
    // A load in flight may be reading what is just being changed, under whichever host. Loads are few and short.
    this.#flights.invalidateAll();
  }

  /** Everything may be stale: notifications may have been missed. */
  invalidateAll(): void {
    this.#observe({ kind: 'tenant-cache', outcome: 'invalidated' });
    for (const entry of this.#entries.values()) expire(entry);
    this.#unknown.clear();
    this.#flights.invalidateAll();
  }

  /** Reads again; when the registry does not answer, the old entry serves on for a while. */
  #loadOrStale(host: string, entry: Entry): Promise<Tenant | undefined> {
    return this.#load(host).catch(() => {
      this.#observe({ kind: 'tenant-cache', outcome: 'stale' });
      entry.freshUntilMs = this.#now() + RETRY_MS;
      entry.usableUntilMs = Number.POSITIVE_INFINITY;
      return entry.tenant;
    });
  }

  #load(host: string): Promise<Tenant | undefined> {
    return this.#flights.run(host, async (signal) => {
      try {
        const within = AbortSignal.any([signal, AbortSignal.timeout(LOAD_TIMEOUT_MS)]);
        const known = this.#entries.peek(host)?.tenant;
        return this.#unchanged(await this.#registry.findTenantByHost(host, within, known));
      } catch (cause) {
        // An invalidation aborts the load on purpose, and has it begin again.
        if (!signal.aborted) this.#observe({ kind: 'registry-unreachable', cause });
        throw new GatewayError('GW106', { cause });
      }
    });
  }

  /** The object that there is already of the same revision. */
  #unchanged(found: Tenant | undefined): Tenant | undefined {
    if (found === undefined) return undefined;
    const known = this.#tenants.get(found.id);
    if (known?.revision === found.revision) return known;
    this.#tenants.set(found.id, found);
    return found;
  }

  #publish(host: string, tenant: Tenant | undefined): void {
    const now = this.#now();
    if (tenant === undefined) {
      // Nobody's secrets stay for longer than there is somebody.
      const gone = this.#entries.peek(host)?.tenant;
      if (gone !== undefined) this.#tenants.delete(gone.id);
      this.#entries.delete(host);
      this.#unknown.set(host, now + UNKNOWN_TTL_MS);
      return;
    }
    const ttlMs = this.#ttlMs * (1 - TTL_JITTER * this.#random());
    this.#unknown.delete(host);
    this.#entries.set(host, { tenant, freshUntilMs: now + ttlMs, usableUntilMs: now + 2 * ttlMs });
  }
}

/** The entry is kept for the case that the registry does not answer; nobody gets it without trying. */
function expire(entry: Entry): void {
  entry.freshUntilMs = Number.NEGATIVE_INFINITY;
  entry.usableUntilMs = Number.NEGATIVE_INFINITY;
}
