import { LRUCache } from 'lru-cache';
import { GatewayError } from '../errors/gateway-error.ts';
import type { Observe } from '../platform/observation.ts';
import { SingleFlight } from '../platform/single-flight.ts';
import { capRows } from '../registry/limit-defaults.ts';
import { overlayPostgrestSettings, type PostgrestRecord } from '../registry/postgrest-settings.ts';
import { physicalRole, type Tenant, type TenantId } from '../registry/tenant.ts';
import type { SchemaCache } from './schema-cache.ts';

export interface SchemaCacheStoreOptions {
  /** Reads a tenant's catalog; its deadline is its own, `signal` cuts it when the catalog changes meanwhile. */
  readonly load: (tenant: Tenant, signal: AbortSignal, previous?: SchemaCache) => Promise<SchemaCache>;
  /** Bound of all pictures together, by `SchemaCache.sizeBytes`; the least recently used go first. */
  readonly maxBytes: number;
  /** A picture older than this is read again in the background, in case a notification was lost. */
  readonly maxAgeMs: number;
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
  readonly observe: Observe;
  /** Called when there is a new picture, also of a tenant that had one. */
  readonly onPublished?: (tenant: Tenant) => void;
}

/** What is known of a picture from outside. */
export interface HeldPicture {
  /** The tenant that the picture was made for. */
  readonly tenant: Tenant;
  /** Milliseconds since the epoch. */
  readonly loadedAt: number;
  /** Milliseconds since the epoch of the last request. */
  readonly usedAt: number;
}

interface Entry extends HeldPicture {
  readonly cache: SchemaCache;
  /** What of the tenant the picture depends on. */
  readonly fingerprint: string;
  /** The picture's size in bytes when it was last weighed. */
  readonly weighedBytes: number;
  /** Milliseconds since the epoch at which to read again; earlier after a change, later after a failure. */
  refreshAt: number;
  usedAt: number;
  failures: number;
}

// A migration changes many objects at once; PostgREST waits as long.
const DEBOUNCE_MS = 100;
// A picture grows with what requests ask of it, until all of it is worked out. It is weighed again a few times in its life.
const GROWTH_TO_WEIGH = 1.1;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 32_000;
// A request for what does not exist costs a tenant one reading of the catalog in this time, however many there are.
const MISS_RELOAD_MS = 2_000;

/**
 * The tenants' schema caches. Once a tenant has a picture, its requests never wait for another: a new one is read in the
 * background, and a failure to read it leaves the old one in place.
 */
export class SchemaCacheStore {
  readonly #options: SchemaCacheStoreOptions;
  readonly #now: () => number;
  readonly #entries: LRUCache<TenantId, Entry>;
  readonly #flights: SingleFlight<SchemaCache>;
  /** The newest form of each tenant being loaded. */
  readonly #wanted = new Map<string, Tenant>();
  readonly #timers = new Map<TenantId, NodeJS.Timeout>();
  /** Tenants are immutable, and every request asks. */
  readonly #fingerprints = new WeakMap<Tenant, string>();
  readonly #merged = new WeakMap<SchemaCache, { readonly registered: Tenant; readonly merged: Tenant }>();

  constructor(options: SchemaCacheStoreOptions) {
    this.#options = options;
    // Asked for each time, so that a test may set another.
    this.#now = options.now ?? (() => Date.now());
    const { observe, maxBytes } = options;
    this.#entries = new LRUCache({
      maxSize: maxBytes,
      // one picture larger than the whole bound is still kept, alone: else every request would read it again
      sizeCalculation: ({ weighedBytes }) => Math.max(1, Math.min(weighedBytes, maxBytes)),
      dispose: ({ weighedBytes: sizeBytes }, tenantId, reason) => {
        if (reason === 'evict') observe({ kind: 'schema-cache-evicted', tenantId, sizeBytes });
      },
    });
    this.#flights = new SingleFlight({ publish: (key, cache) => this.#publish(key, cache) });
  }

  /**
   * The tenant's picture, at once if there is one; else when it has been read, together with all who wait for it.
   *
   * @param signal ends the waiting, not the reading
   * @throws {GatewayError} `PGRST002` (503) or the connection's own error, when there is none yet and it cannot be read
   */
  async get(tenant: Tenant, signal: AbortSignal): Promise<SchemaCache> {
    const current = this.current(tenant);
    if (current !== undefined) return current;
    const older = this.#entries.peek(tenant.id)?.cache;
    try {
      return await untilAborted(this.#load(tenant), signal);
    } catch (error) {
      if (signal.aborted) throw error;
      // settings changed but the catalog cannot be read: what was exposed before is the best answer there is
      if (older !== undefined) return older;
      throw toFirstLoadError(error);
    }
  }

  /** The tenant's picture if there is one for what the tenant is now, without a promise; every request asks. */
  current(tenant: Tenant): SchemaCache | undefined {
    const entry = this.#entries.get(tenant.id);
    if (entry === undefined) return undefined;
    // Nearly always the very tenant that it was read for.
    if (entry.tenant !== tenant && entry.fingerprint !== this.#fingerprint(tenant)) return undefined;
    entry.usedAt = this.#now();
    if (entry.usedAt >= entry.refreshAt) this.#refresh(tenant);
    if (entry.cache.sizeBytes > entry.weighedBytes * GROWTH_TO_WEIGH) this.#weigh(entry);
    return entry.cache;
  }

  /**
   * The tenant with the settings that hold for it: the registry's, and over them those of its database (X7). The same object each
   * time, and the tenant itself where its database says nothing.
   */
  withSettings(tenant: Tenant, cache: SchemaCache | undefined): Tenant {
    if (cache === undefined || saysNothing(cache.databaseSettings)) return tenant;
    const known = this.#merged.get(cache);
    if (known?.registered === tenant) return known.merged;
    const merged = mergeSettings(tenant, cache.databaseSettings);
    this.#merged.set(cache, { registered: tenant, merged });
    return merged;
  }

  /**
   * A picture read later than `cache`, for a request that `cache` has no answer to: what it names may have been made a
   * moment ago. `undefined` when there is nothing newer, which holds for a while after each reading.
   *
   * @param signal ends the waiting, not the reading
   */
  async newerThan(cache: SchemaCache, tenant: Tenant, signal: AbortSignal): Promise<SchemaCache | undefined> {
    const entry = this.#entries.peek(tenant.id);
    if (entry !== undefined && entry.cache !== cache) return entry.cache;
    const timer = this.#timers.get(tenant.id);
    if (timer !== undefined) {
      clearTimeout(timer);
      this.#timers.delete(tenant.id);
      this.#flights.invalidate(tenant.id);
    } else if (entry !== undefined && Date.now() < entry.loadedAt + MISS_RELOAD_MS) {
      return undefined;
    }
    try {
      return await untilAborted(this.#load(tenant), signal);
    } catch (error) {
      if (signal.aborted) throw error;
      return undefined;
    }
  }

  /** The tenant's catalog changed. A picture in use is read again shortly, once for many changes. */
  invalidate(tenantId: TenantId): void {
    if (this.#timers.has(tenantId)) return;
    const timer = setTimeout(() => {
      this.#timers.delete(tenantId);
      this.#flights.invalidate(tenantId);
      const entry = this.#entries.peek(tenantId);
      if (entry !== undefined) this.#refresh(entry.tenant);
    }, DEBOUNCE_MS);
    timer.unref();
    this.#timers.set(tenantId, timer);
  }

  /** The pictures there are, most recently used first. */
  held(): readonly HeldPicture[] {
    return [...this.#entries.values()];
  }

  /** How many pictures there are, and their size in bytes by `SchemaCache.sizeBytes` when they were last weighed. */
  stats(): { readonly count: number; readonly bytes: number } {
    return { count: this.#entries.size, bytes: this.#entries.calculatedSize };
  }

  /** Size in bytes of each picture when it was last weighed. */
  sizes(): readonly number[] {
    return [...this.#entries.values()].map(({ weighedBytes }) => weighedBytes);
  }

  /** Reads a tenant's picture again now, where there is one. Never rejects: a failure is observed, and the old one stays. */
  async reload(tenantId: TenantId): Promise<void> {
    this.#flights.invalidate(tenantId);
    const entry = this.#entries.peek(tenantId);
    if (entry !== undefined) await this.#load(entry.tenant).catch(() => undefined);
  }

  /** A picture may be out of date: it is read again when it is next asked for. */
  expire(tenantId: TenantId): void {
    const entry = this.#entries.peek(tenantId);
    if (entry !== undefined) entry.refreshAt = 0;
  }

  /** Changes may have been missed: each picture is read again when it is next asked for. */
  invalidateAll(): void {
    this.#flights.invalidateAll();
    for (const entry of this.#entries.values()) entry.refreshAt = 0;
  }

  /** Forgets a tenant that is gone. */
  delete(tenantId: TenantId): void {
    this.#entries.delete(tenantId);
  }

  /** Stops pending reloads. */
  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Others are evicted where it has become too large for all of them. */
  #weigh(entry: Entry): void {
    this.#entries.set(entry.tenant.id, { ...entry, weighedBytes: entry.cache.sizeBytes });
  }

  #refresh(tenant: Tenant): void {
    // The failure has been observed where it was caught, and the entry says when to try again.
    this.#load(tenant).catch(() => undefined);
  }

  #load(tenant: Tenant): Promise<SchemaCache> {
    const running = this.#wanted.get(tenant.id);
    this.#wanted.set(tenant.id, tenant);
    if (running !== undefined && this.#fingerprint(running) !== this.#fingerprint(tenant))
      this.#flights.invalidate(tenant.id);
    return this.#flights.run(tenant.id, async (signal) => {
      // a load begun again uses what the tenant has become meanwhile
      const current = this.#wanted.get(tenant.id) ?? tenant;
      this.#wanted.set(tenant.id, current);
      return this.#loadObserved(current, signal);
    });
  }

  async #loadObserved(tenant: Tenant, signal: AbortSignal): Promise<SchemaCache> {
    const { load, observe } = this.#options;
    const startedAt = performance.now();
    try {
      const cache = await load(tenant, signal, this.#entries.peek(tenant.id)?.cache);
      const durationMs = performance.now() - startedAt;
      observe({
        kind: 'schema-cache-loaded',
        tenantId: tenant.id,
        durationMs,
        relations: cache.relations.size,
        sizeBytes: cache.sizeBytes,
      });
      return cache;
    } catch (cause) {
      if (signal.aborted) throw cause;
      observe({ kind: 'schema-cache-failed', tenantId: tenant.id, cause });
      this.#wanted.delete(tenant.id);
      const entry = this.#entries.peek(tenant.id);
      if (entry !== undefined) {
        entry.refreshAt = Date.now() + Math.min(FIRST_RETRY_MS * 2 ** entry.failures, LAST_RETRY_MS);
        entry.failures++;
      }
      throw cause;
    }
  }

  #fingerprint(tenant: Tenant): string {
    let known = this.#fingerprints.get(tenant);
    if (known === undefined) {
      known = fingerprint(tenant);
      this.#fingerprints.set(tenant, known);
    }
    return known;
  }

  #publish(key: string, cache: SchemaCache): void {
    const tenant = this.#wanted.get(key);
    if (tenant === undefined) return;
    this.#wanted.delete(key);
    this.#entries.set(tenant.id, {
      cache,
      tenant,
      fingerprint: this.#fingerprint(tenant),
      loadedAt: Date.now(),
      refreshAt: Date.now() + this.#options.maxAgeMs,
      usedAt: Date.now(),
      weighedBytes: cache.sizeBytes,
      failures: 0,
    });
    this.#options.onPublished?.(tenant);
  }
}

/** What a picture depends on besides the catalog. */
function fingerprint(tenant: Tenant): string {
  const { naming, settings, epoch } = tenant;
  const { dbSchemas, dbExtraSearchPath, dbHoistedTxSettings, dbAnonRole, dbConfig, dbPreConfig } = settings;
  const anonRole = dbAnonRole === undefined ? null : physicalRole(naming, dbAnonRole);
  const catalog = [dbSchemas, dbExtraSearchPath, dbHoistedTxSettings, anonRole];
  return JSON.stringify([epoch, naming, ...catalog, dbConfig, dbPreConfig ?? null]);
}

/** As most databases do. */
function saysNothing(record: PostgrestRecord): boolean {
  for (const _name in record) return false;
  return true;
}

function mergeSettings(tenant: Tenant, record: PostgrestRecord): Tenant {
  const settings = capRows(overlayPostgrestSettings(tenant.settings, record).settings, tenant.limits.maxRows);
  // What is remembered of a token depends on the settings it was accepted under.
  return { ...tenant, settings, revision: `${tenant.revision} ${JSON.stringify(record)}` };
}

/** Errors that already say what is wrong with the connection pass as they are. */
function toFirstLoadError(error: unknown): GatewayError {
  if (error instanceof GatewayError && CONNECTION_CODE.test(error.code)) return error;
  return new GatewayError('PGRST002', { headers: { 'Retry-After': '1' }, cause: error });
}

const CONNECTION_CODE = /^(?:PGRST00\d|GW2\d\d)$/;

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
