import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { QueryParser } from './api-request/query-parser.ts';
import { Authenticator } from './auth/authenticate.ts';
import { createFetchText } from './auth/remote-key-set.ts';
import { PoolCache } from './execute/pool-cache.ts';
import { ReplicaMonitor } from './execute/replica-monitor.ts';
import { ForwarderOnDemand } from './forward/forwarder-on-demand.ts';
import { holdWrites } from './hold-writes.ts';
import { RequestIds } from './http/request-id.ts';
import { createSchemaLoader } from './load-tenant-schema.ts';
import type { GatewayConfig } from './platform/config.ts';
import { controlUrl, LOGINS, ownHosts } from './platform/derived-logins.ts';
import type { Metrics } from './platform/metrics.ts';
import { createNetworkPolicy } from './platform/network-policy.ts';
import type { Observe } from './platform/observation.ts';
import { TurnClock } from './platform/turn-clock.ts';
import { TurnWrites } from './platform/turn-writes.ts';
import { QueryTemplates } from './query/query-templates.ts';
import { TransactionContexts } from './query/transaction-contexts.ts';
import type { LimitDefaults } from './registry/limit-defaults.ts';
import { createRegistryReader, type PostgresRegistryReader } from './registry/postgres-registry-reader.ts';
import { startRegistryListener } from './registry/registry-listener.ts';
import type { TenantId } from './registry/tenant.ts';
import { startSchemaReload } from './reload/start-schema-reload.ts';
import { CircuitBreaker } from './routing/circuit-breaker.ts';
import { buildTopology } from './routing/topology.ts';
import { createRunOnUpstream, type RunOnUpstream, type StreamOnUpstream } from './run-on-upstream.ts';
import { SchemaCacheStore } from './schema-cache/schema-cache-store.ts';
import { RateLimit } from './tenants/rate-limit.ts';
import { createTenantResolver, type ResolveTenant } from './tenants/resolve-tenant.ts';
import { TenantCache } from './tenants/tenant-cache.ts';
import { type IsTrustedProxy, trustedProxies } from './tenants/trusted-proxies.ts';
import { WriteHold } from './tenants/write-hold.ts';

/** What lives as long as the process and is shared by all requests. */
export interface Services {
  readonly config: GatewayConfig;
  readonly observe: Observe;
  readonly metrics: Metrics;
  /** Sends answers, and batches to PostgreSQL. */
  readonly writes: TurnWrites;
  readonly requestIds: RequestIds;
  readonly resolveTenant: ResolveTenant;
  readonly rateLimit: RateLimit;
  readonly isTrustedProxy: IsTrustedProxy;
  readonly authenticator: Authenticator;
  readonly schemaCaches: SchemaCacheStore;
  readonly queryParser: QueryParser;
  readonly templates: QueryTemplates;
  readonly contexts: TransactionContexts;
  readonly runTransaction: RunOnUpstream;
  readonly streamTransaction: StreamOnUpstream;
  readonly forwarder: ForwarderOnDemand;
  /** Why requests cannot be served; `undefined` when they can. Once ready, a control database that is down changes nothing. */
  readiness(): string | undefined;
  /** From here on `readiness` says that the process is ending. */
  beginDrain(): void;
  /** Cancels what is running in any database and waits until that has arrived there. @returns how many transactions */
  cancelRunning(): Promise<number>;
  /** Closes pools and connections; requests should have ended before. */
  close(): Promise<void>;
}

const PING_RETRY_MS = 250;
const SCHEMA_CACHE_MAX_AGE_MS = 60 * 60_000;

/** Composition root: the one place that makes pools, caches and stores. Connects in the background; see `readiness`. */
export function createServices(
  config: GatewayConfig,
  { observe, metrics }: { readonly observe: Observe; readonly metrics: Metrics },
): Services {
  const { caches, pools: poolSettings } = config;
  const url = controlUrl(config, LOGINS.gateway);
  const onError = (cause: unknown) => observe({ kind: 'registry-unreachable', cause });
  const registry = createRegistryReader({
    url,
    masterKey: config.masterKey,
    limits: limitDefaults(config.limits),
    onError,
  });
  const tenants = new TenantCache({
    registry,
    observe,
    maxHosts: caches.maxTenants,
    ttlMs: caches.tenantTtlMs,
    now: new TurnClock(() => performance.now()).now,
  });
  const { moveHoldMaxRequests: maxRequests, moveHoldTimeoutMs: timeoutMs } = config.gateway;
  const writeHold = new WriteHold({ cache: tenants, maxRequests, timeoutMs });
  const isTrustedProxy = trustedProxies(config.gateway.trustedProxies);
  const networkPolicy = createNetworkPolicy({
    allowedNetworks: config.remotes.allowedNetworks,
    ownHosts: ownHosts(config),
  });
  const writes = new TurnWrites();
  const { now } = new TurnClock();
  const pools = new PoolCache({ ...poolSettings, networkPolicy, observe, writes, now });
  const breaker = new CircuitBreaker({ observe });
  const topology = buildTopology(config);
  const monitor = new ReplicaMonitor({ pools, observe });
  const schemaCaches = new SchemaCacheStore({
    maxBytes: caches.schemaCacheMaxBytes,
    maxAgeMs: SCHEMA_CACHE_MAX_AGE_MS,
    now,
    observe,
    load: createSchemaLoader({ pools, topology, breaker, observe }),
    onPublished: (tenant) => schemaReload.pictureChanged(tenant),
  });
  const schemaReload = startSchemaReload(config, { schemaCaches, networkPolicy, observe });
  const state = { isReached: false, isListening: false, isDraining: false };
  const closing = new AbortController();
  const reaching = reachRegistry(registry, closing.signal, observe).then(() => {
    state.isReached = true;
  });
  const listener = startRegistryListener({
    url,
    onChange: (change) => {
      tenants.invalidate(change);
      writeHold.lookAgain(change.tenantId);
      if (change.schema) schemaCaches.invalidate(change.tenantId as TenantId);
    },
    onConnected: () => {
      observe({ kind: 'registry-listener', state: 'connected' });
      tenants.invalidateAll();
      state.isListening = true;
    },
    onLost: (cause) => observe({ kind: 'registry-listener', state: 'lost', cause }),
    onReconnected: () => {
      observe({ kind: 'registry-listener', state: 'connected' });
      tenants.invalidateAll();
      schemaCaches.invalidateAll();
    },
  });
  addGauges(metrics, { pools, settings: poolSettings, tenants, schemaCaches, breaker });
  metrics.gauge(
    'cascata_held_writes',
    'Writes that wait for the move of their tenant.',
    () => writeHold.count,
  );
  const forwarder = new ForwarderOnDemand({
    observe,
    networkPolicy,
    isTrustedProxy,
    maxBodyBytes: config.gateway.maxBodyBytes,
    maxRequests: config.gateway.forwardMaxRequests,
    timeoutMs: config.gateway.forwardTimeoutMs,
  });
  metrics.gauge(
    'cascata_forwarded_requests',
    'Requests under way to installations that their tenants have moved to.',
    () => forwarder.count,
  );
  return {
    config,
    observe,
    metrics,
    writes,
    requestIds: new RequestIds(),
    resolveTenant: createTenantResolver({ cache: tenants, isTrustedProxy }),
    rateLimit: new RateLimit(),
    isTrustedProxy,
    authenticator: new Authenticator({
      observe,
      fetchText: createFetchText(networkPolicy),
      maxVerifiedTokens: caches.maxVerifiedTokens,
      maxTenants: caches.maxTenants,
    }),
    schemaCaches,
    queryParser: new QueryParser(),
    templates: new QueryTemplates(),
    contexts: new TransactionContexts(),
    ...holdWrites(
      createRunOnUpstream({
        pools,
        topology,
        monitor,
        breaker,
        observe,
        maxReplicaLagMs: config.pools.maxReplicaLagMs,
        streamStallTimeoutMs: config.gateway.streamStallTimeoutMs,
      }),
      writeHold,
    ),
    forwarder,
    readiness() {
      if (state.isDraining) return 'shutting down';
      if (!state.isReached) return 'the tenant registry has not answered yet';
      return state.isListening ? undefined : 'not listening for changes of the registry yet';
    },
    beginDrain() {
      state.isDraining = true;
    },
    cancelRunning: () => pools.running.cancelAll(),
    async close() {
      closing.abort();
      schemaCaches.close();
      await reaching;
      await monitor.close();
      await Promise.all([listener.close(), schemaReload.close(), pools.close(), forwarder.close()]);
      await registry.close();
    },
  };
}

/** In the configuration 0 stands for no limit, except in `maxQueue`, where it means that nobody may wait. */
function limitDefaults({ maxQueue, ...others }: GatewayConfig['limits']): LimitDefaults {
  const set = Object.entries(others).filter(([, value]) => value > 0);
  return { maxQueue, ...Object.fromEntries(set) };
}

/** Asks until the registry answers once. Never rejects. */
async function reachRegistry(
  registry: PostgresRegistryReader,
  signal: AbortSignal,
  observe: Observe,
): Promise<void> {
  while (!signal.aborted) {
    try {
      return await registry.ping(signal);
    } catch (cause) {
      if (!signal.aborted) observe({ kind: 'registry-unreachable', cause });
    }
    // An abort ends the wait early, by rejecting.
    await sleep(PING_RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** One tenant's cache takes tens of kB, one with thousands of relations tens of MB. */
const SCHEMA_CACHE_SIZE_BOUNDS = [16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864];

function addGauges(
  metrics: Metrics,
  parts: {
    readonly pools: PoolCache;
    readonly settings: GatewayConfig['pools'];
    readonly tenants: TenantCache;
    readonly schemaCaches: SchemaCacheStore;
    readonly breaker: CircuitBreaker;
  },
): void {
  const { pools, settings, tenants, schemaCaches, breaker } = parts;
  const sum = (pick: (stats: ReturnType<PoolCache['stats']>[number]) => number) => () =>
    pools.stats().reduce((total, stats) => total + pick(stats), 0);
  metrics.gauge(
    'cascata_pool_connections',
    'Connections to PostgreSQL, open or being opened.',
    sum(({ size }) => size),
  );
  metrics.gauge(
    'cascata_pool_idle_connections',
    'Connections to PostgreSQL at rest.',
    sum(({ idle }) => idle),
  );
  metrics.gauge(
    'cascata_pool_max_connections',
    'Connections to PostgreSQL that the open pools may have.',
    () =>
      pools
        .stats()
        .reduce(
          (sum, { pooling }) => sum + (pooling === 'shared' ? settings.poolSize : settings.leasedPoolSize),
          0,
        ),
  );
  metrics.gauge('cascata_cached_tenants', 'Tenants of the registry in memory.', () => tenants.countTenants());
  metrics.gauge('cascata_schema_caches', 'Schema caches in memory.', () => schemaCaches.stats().count);
  metrics.gauge(
    'cascata_schema_cache_bytes',
    'Estimated size of all schema caches, bounded by caches.schemaCacheMaxBytes.',
    () => schemaCaches.stats().bytes,
  );
  metrics.sizes('cascata_schema_caches_by_size', 'Schema caches in memory of at most so many bytes.', {
    bounds: SCHEMA_CACHE_SIZE_BOUNDS,
    collect: () => schemaCaches.sizes(),
  });
  metrics.gauge('cascata_schema_cache_largest_bytes', 'Size of the largest schema cache in memory.', () =>
    Math.max(0, ...schemaCaches.sizes()),
  );
  metrics.gauge(
    'cascata_pool_waiting_requests',
    'Requests that wait for a connection.',
    sum(({ waiting }) => waiting),
  );
  metrics.gauge(
    'cascata_upstreams_open',
    'Upstreams that get no requests since they do not answer.',
    () => breaker.openCount,
  );
  metrics.gauge('cascata_transactions_in_flight', 'Transactions under way.', () => pools.running.size);
}
