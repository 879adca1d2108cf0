import { Client, DatabaseError } from 'pg';
import { GatewayError } from '../errors/gateway-error.ts';
import { type ConnectOptions, connectOptions } from '../platform/connect-options.ts';
import { LeasedLru } from '../platform/leased-lru.ts';
import { createNetworkPolicy, type NetworkPolicy } from '../platform/network-policy.ts';
import type { Observe } from '../platform/observation.ts';
import type { TurnWrites } from '../platform/turn-writes.ts';
import type { ExecutorAccess, Upstream } from '../routing/upstream.ts';
import { Pool } from './pool.ts';
import type { PoolStats } from './pool-options.ts';
import type { RoleSwitch } from './role-switch/role-switch.ts';
import { SealedRoleSwitch } from './role-switch/sealed.ts';
import { TrustedRoleSwitch } from './role-switch/trusted.ts';
import { RunningTransactions } from './running-transactions.ts';

/** The settings `pools.*` of the configuration, and who hears of pools that come and go. */
export interface PoolCacheOptions {
  /** Connections of each shared pool. */
  readonly poolSize: number;
  /** The part of a shared pool that one tenant may use at once, 0 < share ≤ 1. Default: all of it. */
  readonly maxTenantShare?: number | undefined;
  /** Connections of one leased pool. */
  readonly leasedPoolSize: number;
  /** Connections of all leased pools together; pools that are draining come on top. */
  readonly maxLeasedConnections: number;
  readonly connectTimeoutMs: number;
  /** Longest wait for a connection, within the request's deadline. */
  readonly acquireTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Default: half an hour. */
  readonly maxLifetimeMs?: number | undefined;
  readonly preparedStatementsPerConnection: number;
  /** Default: `cascata`. */
  readonly applicationName?: string | undefined;
  /** Where connection strings of tenants may lead. Default: to public addresses only. */
  readonly networkPolicy?: NetworkPolicy | undefined;
  /** Sends what connections have to say; by default it is sent at once. */
  readonly writes?: TurnWrites | undefined;
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
  readonly observe: Observe;
}

export interface PoolLease {
  readonly pool: Pool;
  release(): void;
}

/** Statistics of one pool, for metrics. */
export interface UpstreamPoolStats extends PoolStats {
  readonly upstream: string;
  readonly pooling: Upstream['pooling'];
}

interface NamedPool {
  readonly upstream: Upstream;
  readonly pool: Pool;
}

const DEFAULT_MAX_LIFETIME_MS = 30 * 60_000;

/**
 * All pools of the process. Tenants in the shared database share one for each login, whatever their number; tenants with a place of their
 * own get small ones on lease, evicted least recently used first. What is evicted drains: requests in flight finish.
 */
export class PoolCache {
  readonly running = new RunningTransactions();
  /** Milliseconds since the epoch, as deadlines are counted. */
  readonly now: () => number;
  readonly #trusted = new TrustedRoleSwitch();
  readonly #sealed = new WeakMap<ExecutorAccess, RoleSwitch>();
  readonly #options: PoolCacheOptions;
  readonly #policy: NetworkPolicy;
  readonly #shared = new Map<string, NamedPool & PoolLease>();
  readonly #leased: LeasedLru<string, NamedPool>;

  constructor(options: PoolCacheOptions) {
    this.#options = options;
    this.now = options.now ?? Date.now;
    this.#policy = options.networkPolicy ?? createNetworkPolicy({ allowedNetworks: [], ownHosts: [] });
    this.#leased = new LeasedLru({
      maxWeight: options.maxLeasedConnections,
      weigh: () => options.leasedPoolSize,
      dispose: async ({ upstream, pool }, _key, reason) => {
        await pool.drain();
        options.observe({ kind: 'pool-closed', upstream: upstream.name, reason });
      },
    });
  }

  /**
   * The upstream's pool, opened when there is none. Release it in the function that took it.
   *
   * @throws {GatewayError} GW103 when the tenant has moved on: its pool of a later epoch is open already
   */
  lease(upstream: Upstream): PoolLease {
    if (upstream.pooling === 'shared') {
      return this.#shared.get(upstream.key) ?? this.#openShared(upstream);
    }
    const lease = this.#leased.checkout(upstream.key, () => this.#openLeased(upstream));
    return { pool: lease.value.pool, release: lease.release };
  }

  /** How requests of an upstream become their role. */
  roleSwitchFor({ executors }: Upstream): RoleSwitch {
    if (executors === undefined) return this.#trusted;
    let sealed = this.#sealed.get(executors);
    if (sealed === undefined) {
      sealed = new SealedRoleSwitch(executors);
      this.#sealed.set(executors, sealed);
    }
    return sealed;
  }

  /** Streams hold a connection for as long as somebody reads: half of them stay free for all else. */
  maxStreams({ pooling }: Upstream): number {
    const { poolSize, leasedPoolSize } = this.#options;
    return Math.max(1, Math.floor((pooling === 'shared' ? poolSize : leasedPoolSize) / 2));
  }

  /** Longest wait for a connection, in milliseconds, of a request that has to be done by then. @param deadlineMs as `now` counts */
  acquireTimeoutMs(deadlineMs: number): number {
    return Math.max(0, Math.min(this.#options.acquireTimeoutMs, deadlineMs - this.now()));
  }

  /**
   * Whether a server lets anybody in, over a connection besides the pool's, which may all be waiting for it. A refusal by the server is an answer as well.
   *
   * @param timeoutMs after which it counts as silent
   */
  async isAnswering(upstream: Upstream, timeoutMs: number): Promise<boolean> {
    const client = new Client(this.#connectTo(upstream, timeoutMs));
    client.on('error', () => {}); // Told by `connect`.
    try {
      await client.connect();
      return true;
    } catch (error) {
      return error instanceof DatabaseError;
    } finally {
      void client.end().catch(() => {}); // Nobody waits for it.
    }
  }

  /** Drops the leased pools of a tenant that moved or is gone, whatever their epoch. @returns how many */
  dropTenant(tenantId: string): number {
    const keys = new Set(
      this.#leased
        .values()
        .filter(({ upstream }) => upstream.name.endsWith(`:${tenantId}`))
        .map(({ upstream }) => upstream.key),
    );
    return this.#leased.dropWhere((key) => keys.has(key));
  }

  stats(): readonly UpstreamPoolStats[] {
    return [...this.#shared.values(), ...this.#leased.values()].map(({ upstream, pool }) => ({
      upstream: upstream.name,
      pooling: upstream.pooling,
      ...pool.stats,
    }));
  }

  /** Serves what is under way and waiting, then closes every connection. */
  async close(): Promise<void> {
    const shared = [...this.#shared.values()];
    await Promise.all([this.#leased.close(), ...shared.map(({ pool }) => pool.drain())]);
  }

  #openShared(upstream: Upstream): PoolLease {
    const entry = { upstream, pool: this.#open(upstream, this.#options.poolSize), release: () => {} };
    this.#shared.set(upstream.key, entry);
    return entry;
  }

  #openLeased(upstream: Upstream): NamedPool {
    const others = this.#leased.values().filter((other) => other.upstream.name === upstream.name);
    // A request that began before the move would write where nobody looks any more.
    if (others.some((other) => epochOf(other.upstream) > epochOf(upstream))) throw new GatewayError('GW103');
    // An older epoch's pool leads to where the tenant no longer is.
    const outdated = new Set(others.map((other) => other.upstream.key));
    this.#leased.dropWhere((key) => outdated.has(key));
    return { upstream, pool: this.#open(upstream, this.#options.leasedPoolSize) };
  }

  #connectTo({ connectionString, foreign }: Upstream, connectTimeoutMs: number): ConnectOptions {
    return connectOptions(connectionString, {
      applicationName: this.#options.applicationName ?? 'cascata',
      connectTimeoutMs,
      caCertificate: foreign?.caCertificate,
      policy: foreign === undefined ? undefined : this.#policy,
    });
  }

  #open(upstream: Upstream, maxConnections: number): Pool {
    const { connectTimeoutMs, idleTimeoutMs, maxLifetimeMs, maxTenantShare = 1 } = this.#options;
    const config = this.#connectTo(upstream, connectTimeoutMs);
    this.#options.observe({ kind: 'pool-opened', upstream: upstream.name });
    return new Pool(config, {
      maxConnections,
      // A leased pool is one tenant's.
      maxPerOwner:
        upstream.pooling === 'shared'
          ? Math.max(1, Math.floor(maxConnections * maxTenantShare))
          : maxConnections,
      idleTimeoutMs,
      maxLifetimeMs: maxLifetimeMs ?? DEFAULT_MAX_LIFETIME_MS,
      maxPreparedStatements: this.#options.preparedStatementsPerConnection,
      isPatient: upstream.pooling === 'shared' && upstream.keepsSession === true,
      writes: this.#options.writes,
      now: this.now,
    });
  }
}

/** The key of an upstream of a tenant's own ends with it: `remote:acme@3`. */
function epochOf({ key }: Upstream): number {
  return Number(key.slice(key.lastIndexOf('@') + 1));
}
