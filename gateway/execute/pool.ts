import type { ClientConfig } from 'pg';
import { GatewayError } from '../errors/gateway-error.ts';
import { connectReason } from '../platform/connect-reason.ts';
import { RefusedAddressError } from '../platform/network-policy.ts';
import type { TurnWrites } from '../platform/turn-writes.ts';
import type { Abortable } from './abortable.ts';
import { BatchWriter } from './batch-writer.ts';
import { Connection } from './connection.ts';
import { chooseConnection } from './connection-choice.ts';
import { openWithRetry } from './open-with-retry.ts';
import { StatementNaming } from './statement-naming.ts';
import { type Waiter, WaitQueue } from './wait-queue.ts';

export interface PoolOptions {
  readonly maxConnections: number;
  /** Of these, the most that one owner may use at once. */
  readonly maxPerOwner: number;
  /** A connection at rest for this long is closed. */
  readonly idleTimeoutMs: number;
  /** An older connection is closed when it is given back, so that memory of a session is not kept for ever. */
  readonly maxLifetimeMs: number;
  /** 0: unnamed statements only. */
  readonly maxPreparedStatements: number;
  /** Sends what connections have to say; by default it is sent at once. */
  readonly writes?: TurnWrites | undefined;
}

export interface PoolStats {
  /** Open or being opened. */
  readonly size: number;
  readonly idle: number;
  readonly waiting: number;
}

export interface AcquireOptions {
  /** Whose request it is. */
  readonly owner: string;
  /** What the transaction will run as: of several who wait, one that the connection has run statements of is preferred. */
  readonly role?: string | undefined;
  /** Longest queue the owner may have; beyond it GW301. */
  readonly maxQueue?: number | undefined;
  /** Before everybody else. */
  readonly isUrgent?: boolean | undefined;
  /** Longest wait for a connection. */
  readonly timeoutMs: number;
  readonly signal?: Abortable | undefined;
}

/** How often those who wait are looked at: under load most requests wait a little, and a timer each would cost more than the wait. */
const WAIT_TICK_MS = 50;

/**
 * Connections to one upstream. Handing out one that is at rest is a plain call without a promise, which is what nearly every request
 * does; `pg-pool` makes a promise, two listeners and a timer each time (docs/performance.md).
 */
export class Pool {
  /** Whether statements are prepared under names here. */
  readonly naming: StatementNaming;
  readonly #config: ClientConfig;
  readonly #options: PoolOptions;
  readonly #writer = new BatchWriter();
  /** The last one is the one used last: the others get the chance to time out. */
  readonly #idle: Connection[] = [];
  readonly #open = new Set<Connection>();
  readonly #waiters = new WaitQueue();
  /** With more connections free than this no owner can have reached its share. */
  readonly #reserve: number;
  #opening = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #waitTimer: NodeJS.Timeout | undefined;
  #closed: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  constructor(config: ClientConfig, options: PoolOptions) {
    this.#config = config;
    this.#options = options;
    this.#reserve = options.maxConnections - options.maxPerOwner;
    this.naming = new StatementNaming(options.maxPreparedStatements > 0);
  }

  get stats(): PoolStats {
    return {
      size: this.#open.size + this.#opening,
      idle: this.#idle.length,
      waiting: this.#waiters.size,
    };
  }

  /**
   * A connection at rest, at once; `undefined` when there is none, or the owner has its share already.
   *
   * @param role that the transaction will run as: connections that ran its statements before are preferred
   */
  tryAcquire(owner: string, role: string): Connection | undefined {
    // Whoever waits while connections are at rest has its share, and is no reason to refuse another.
    if (this.#waiters.size > 0 && this.#waiters.lengthOf(owner) > 0) return undefined;
    if (this.#isScarce() && this.#roomFor(owner) <= 0) return undefined;
    const index = chooseConnection(this.#idle, role);
    if (index < 0) return undefined;
    const connection = this.#idle[index]!;
    this.#idle.splice(index, 1);
    connection.owner = owner;
    return connection;
  }

  /**
   * Waits for a connection, opening one when there is room.
   *
   * @throws {GatewayError} PGRST003 after `timeoutMs`, PGRST000 when none can be opened, GW301 when the owner's queue is full,
   * GW902 when aborted
   */
  acquire({
    owner,
    role,
    maxQueue,
    isUrgent = false,
    timeoutMs,
    signal,
  }: AcquireOptions): Promise<Connection> {
    if (this.#closed !== undefined) return Promise.reject(new GatewayError('GW201'));
    if (signal?.aborted) return Promise.reject(new GatewayError('GW902'));
    if (maxQueue !== undefined && !isUrgent && this.#waiters.lengthOf(owner) >= maxQueue) {
      return Promise.reject(queueFull(maxQueue));
    }
    return new Promise((give, fail) => {
      this.#waiters.add({ owner, role, give, fail, untilMs: Date.now() + timeoutMs, signal }, isUrgent);
      this.#waitTimer ??= setInterval(() => this.#sendAwayWaiters(), WAIT_TICK_MS);
      this.#serveWaiters();
    });
  }

  /** Gives a connection back. One that is broken, old, or not at rest in its session is closed instead. */
  release(connection: Connection): void {
    const now = Date.now();
    const isReusable =
      connection.isOpen &&
      connection.transactionStatus === 'I' &&
      now - connection.openedAtMs < this.#options.maxLifetimeMs;
    if (!isReusable) {
      this.#discard(connection);
      return;
    }
    connection.idleSinceMs = now;
    this.#idle.push(connection);
    if (this.#waiters.size > 0) this.#serveWaiters();
    else if (this.#closed !== undefined) this.#closeIdle(Number.POSITIVE_INFINITY);
    else this.#idleTimer ??= this.#watchIdle(this.#options.idleTimeoutMs);
  }

  /** Takes no new requests, serves those that wait, and resolves when the last connection is closed. */
  drain(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = Promise.withResolvers<void>();
      clearTimeout(this.#idleTimer);
      if (this.#waiters.size === 0) this.#closeIdle(Number.POSITIVE_INFINITY);
      this.#finishIfDrained();
    }
    return this.#closed.promise;
  }

  /** Those who have waited long enough, and those who have gone. The timer stands still when nobody waits. */
  #sendAwayWaiters(): void {
    const now = Date.now();
    for (const waiter of this.#waiters.all()) {
      if (waiter.signal?.aborted) this.#fail(waiter, new GatewayError('GW902'));
      else if (now >= waiter.untilMs) this.#fail(waiter, new GatewayError('PGRST003'));
    }
    if (this.#waiters.size > 0) return;
    clearInterval(this.#waitTimer);
    this.#waitTimer = undefined;
    this.#finishIfDrained();
  }

  #fail(waiter: Waiter, error: Error): void {
    if (this.#waiters.remove(waiter)) waiter.fail(error);
  }

  #serveWaiters(): void {
    while (this.#waiters.size > 0) {
      const connection = this.#idle.pop();
      if (connection === undefined) break;
      if (!connection.isOpen) continue;
      const waiter = this.#waiters.take(
        (owner) => this.#roomFor(owner) > 0,
        (role) => connection.isWarmFor(role),
      );
      if (waiter === undefined) {
        this.#idle.push(connection);
        break;
      }
      connection.owner = waiter.owner;
      waiter.give(connection);
    }
    const room = this.#options.maxConnections - this.#open.size - this.#opening;
    if (room <= 0) return;
    const wanted = this.#waiters.countServable((owner) => this.#roomFor(owner)) - this.#opening;
    for (let i = 0; i < Math.min(room, wanted); i++) void this.#openOne();
  }

  /** Whether so few connections are free that an owner may have reached its share. */
  #isScarce(): boolean {
    if (this.#reserve === 0) return false;
    return this.#idle.length + this.#options.maxConnections - this.#open.size <= this.#reserve;
  }

  /** How many more connections an owner may use. Looks at all of them, which are few, and only where they are scarce. */
  #roomFor(owner: string): number {
    const { maxPerOwner } = this.#options;
    if (this.#reserve === 0) return maxPerOwner;
    let used = 0;
    for (const connection of this.#open) if (connection.owner === owner) used++;
    for (const connection of this.#idle) if (connection.owner === owner) used--;
    return maxPerOwner - used;
  }

  /** Never rejects: whoever waits hears of a failure. */
  async #openOne(): Promise<void> {
    this.#opening++;
    try {
      const connection = await openWithRetry(() =>
        Connection.open(this.#config, {
          maxPreparedStatements: this.#options.maxPreparedStatements,
          writer: this.#writer,
          writes: this.#options.writes,
        }),
      );
      this.#opening--;
      this.#open.add(connection);
      connection.onClose(() => this.#forget(connection));
      this.release(connection);
    } catch (cause) {
      this.#opening--;
      // With other connections alive the waiters get one of those; without any, waiting longer would only pile up requests.
      if (this.#open.size === 0) {
        const error = connectFailure(cause);
        for (const waiter of this.#waiters.all()) this.#fail(waiter, error);
      }
      this.#finishIfDrained();
    }
  }

  #discard(connection: Connection): void {
    // Closing resolves or the socket ends by itself; either way `#forget` is called and nobody waits for this.
    void connection.close();
    this.#forget(connection);
  }

  #forget(connection: Connection): void {
    if (!this.#open.delete(connection)) return;
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    if (this.#waiters.size > 0) this.#serveWaiters();
    this.#finishIfDrained();
  }

  #watchIdle(delayMs: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#idleTimer = undefined;
      this.#closeIdle(Date.now() - this.#options.idleTimeoutMs);
      const oldest = this.#idle[0];
      if (oldest === undefined) return;
      const restMs = oldest.idleSinceMs + this.#options.idleTimeoutMs - Date.now();
      this.#idleTimer = this.#watchIdle(Math.max(restMs, 10));
    }, delayMs);
    return timer.unref();
  }

  #closeIdle(untilMs: number): void {
    for (const connection of this.#idle.filter(({ idleSinceMs }) => idleSinceMs <= untilMs)) {
      this.#discard(connection);
    }
  }

  #finishIfDrained(): void {
    if (this.#open.size === 0 && this.#opening === 0 && this.#waiters.size === 0) this.#closed?.resolve();
  }
}

function queueFull(maxQueue: number): GatewayError {
  return new GatewayError('GW301', {
    message: `Too many requests: ${maxQueue} of this project are waiting already`,
    hint: 'Wait and try again, with fewer requests at once.',
    headers: { 'Retry-After': '1' },
  });
}

/** Says what happened, never where: the texts of the cause hold addresses and names. */
function connectFailure(cause: unknown): GatewayError {
  if (cause instanceof RefusedAddressError) return new GatewayError('GW204', { cause });
  return new GatewayError('PGRST000', { cause, details: sentence(connectReason(cause)) });
}

function sentence(reason: string): string {
  return reason.charAt(0).toUpperCase() + reason.slice(1);
}
