import type { ClientConfig } from 'pg';
import { GatewayError } from '../errors/gateway-error.ts';
import { BatchWriter } from './batch-writer.ts';
import { Connection } from './connection.ts';
import { chooseConnection } from './connection-choice.ts';
import { openWithRetry } from './open-with-retry.ts';
import { Patience } from './patience.ts';
import { connectFailure, queueFull } from './pool-errors.ts';
import type { AcquireOptions, PoolOptions, PoolStats } from './pool-options.ts';
import { RoleSessions } from './role-sessions.ts';
import { StatementNaming } from './statement-naming.ts';
import { type Waiter, WaitQueue } from './wait-queue.ts';

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
  readonly #roleSessions = new RoleSessions<Connection>();
  readonly #patience: Patience | undefined;
  readonly #now: () => number;
  /** With more connections free than this no owner can have reached its share. */
  readonly #reserve: number;
  #opening = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #waitTimer: NodeJS.Timeout | undefined;
  #patienceTimer: NodeJS.Timeout | undefined;
  #closed: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  constructor(config: ClientConfig, options: PoolOptions) {
    this.#config = config;
    this.#options = options;
    this.#reserve = options.maxConnections - options.maxPerOwner;
    this.#patience = options.isPatient === true ? new Patience() : undefined;
    this.#now = options.now ?? Date.now;
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
   * A connection at rest, at once; `undefined` when there is none, the owner has its share already, or it is better to wait for a session that knows
   * the role.
   *
   * @param role that the transaction will run as: connections that ran its statements before are preferred
   */
  tryAcquire(owner: string, role: string): Connection | undefined {
    if (this.#idle.length === 0) return undefined;
    // Whoever waits while connections are at rest has its share or waits for another, and is no reason to refuse this one.
    if (this.#waiters.size > 0 && this.#waiters.lengthOf(owner) > 0) return undefined;
    if (!this.#hasRoom(owner)) return undefined;
    const sessions = this.#roleSessions.of(role);
    const now = this.#now();
    if (this.#waitForHome(sessions, owner, now) > 0) return undefined;
    for (let i = 0; i < sessions.length; i++) {
      const connection = sessions[i]!;
      if (connection.isAtRest && connection.isOpen) {
        return this.#handOut(this.#idle.indexOf(connection), owner, now);
      }
    }
    if (this.#patience !== undefined && this.#patience.waitFor(sessions, now) > 0) return undefined;
    return this.#tryAny(owner, role, now);
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
      // One that waits for its session fills a short queue, and is no reason to refuse another while connections are at rest.
      const connection = this.#tryAny(owner, role, this.#now());
      return connection === undefined ? Promise.reject(queueFull(maxQueue)) : Promise.resolve(connection);
    }
    return new Promise((give, fail) => {
      const now = this.#now();
      const known = role === undefined ? undefined : this.#roleSessions.of(role);
      const homeMs = known === undefined ? 0 : this.#waitForHome(known, owner, now);
      const sessions = homeMs > 0 ? known?.slice(0, 1) : known;
      const waitMs = sessions === undefined ? 0 : homeMs || (this.#patience?.waitFor(sessions, now) ?? 0);
      const patientUntilMs = waitMs === 0 ? undefined : now + waitMs;
      const untilMs = now + timeoutMs;
      this.#waiters.add({ owner, role, sessions, patientUntilMs, give, fail, untilMs, signal }, isUrgent);
      this.#waitTimer ??= setInterval(() => this.#sendAwayWaiters(), WAIT_TICK_MS);
      this.#serveWaiters(now);
    });
  }

  /** Gives a connection back. One that is broken, old, or not at rest in its session is closed instead. */
  release(connection: Connection): void {
    const now = this.#now();
    const isReusable =
      connection.isOpen &&
      connection.transactionStatus === 'I' &&
      now - connection.openedAtMs < this.#options.maxLifetimeMs;
    if (!isReusable) {
      this.#discard(connection);
      return;
    }
    if (connection.takenAtMs > 0) this.#patience?.record(now - connection.takenAtMs);
    connection.idleSinceMs = now;
    connection.isAtRest = true;
    connection.owner = undefined;
    this.#idle.push(connection);
    if (this.#waiters.size > 0) this.#serveWaiters(now, connection);
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
    const now = this.#now();
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

  /** @param released has just become free: who waits for its session is served first */
  #serveWaiters(now: number, released?: Connection): void {
    const isServed = (owner: string): boolean => this.#roomFor(owner) > 0;
    for (let own = released; this.#waiters.size > 0 && this.#idle.length > 0; own = undefined) {
      const lastOpen = this.#idle.findLastIndex(({ isOpen }) => isOpen);
      const waiter = lastOpen < 0 ? undefined : this.#waiters.take(isServed, now, own);
      if (waiter === undefined) break;
      const isOwn = own !== undefined && waiter.sessions?.includes(own) === true;
      const index = isOwn || waiter.role === undefined ? lastOpen : chooseConnection(this.#idle, waiter.role);
      waiter.give(this.#handOut(index, waiter.owner, now));
    }
    if (this.#idle.length > 0) this.#watchPatience(now);
    const room = this.#options.maxConnections - this.#open.size - this.#opening;
    if (room <= 0) return;
    // Whoever waits while connections are at rest waits for one that there is.
    const atRest = this.#idle.reduce((count, { isOpen }) => (isOpen ? count + 1 : count), 0);
    const wanted = this.#waiters.countServable((owner) => this.#roomFor(owner)) - this.#opening - atRest;
    for (let i = 0; i < Math.min(room, wanted); i++) void this.#openOne();
  }

  /**
   * Milliseconds that a request may wait for its role's home, the session that has known the role longest, although another that knows it may be at rest; 0 when it
   * should not. What a role needs is then in the processor's caches for one session instead of for each that knows it. Not while the owner itself has
   * it, so that a busy tenant goes on using all sessions, and only where few are at rest: else nothing is gained by waiting.
   */
  #waitForHome(sessions: readonly Connection[], owner: string, now: number): number {
    if (this.#patience === undefined || sessions.length < 2) return 0;
    const home = sessions[0]!;
    if (home.isAtRest || home.owner === owner || this.#idle.length * 2 >= this.#open.size) return 0;
    return this.#patience.waitFor([home], now);
  }

  #tryAny(owner: string, role: string | undefined, now: number): Connection | undefined {
    if (!this.#hasRoom(owner)) return undefined;
    const index = chooseConnection(this.#idle, role ?? '');
    return index < 0 ? undefined : this.#handOut(index, owner, now);
  }

  #handOut(index: number, owner: string, now: number): Connection {
    const connection = this.#idle[index]!;
    removeAt(this.#idle, index);
    connection.isAtRest = false;
    connection.takenAtMs = now;
    connection.owner = owner;
    return connection;
  }

  /** Serves those whose patience ends although nothing becomes free. */
  #watchPatience(now: number): void {
    if (this.#patienceTimer !== undefined || this.#patience === undefined) return;
    const untilMs = this.#waiters.patientUntilMs();
    if (untilMs === undefined) return;
    this.#patienceTimer = setTimeout(
      () => {
        this.#patienceTimer = undefined;
        this.#serveWaiters(this.#now());
      },
      Math.max(1, untilMs - now),
    );
  }

  #hasRoom(owner: string): boolean {
    return !this.#isScarce() || this.#roomFor(owner) > 0;
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
          roleSessions: this.#roleSessions,
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
    connection.forgetPrepared();
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    if (this.#waiters.size > 0) this.#serveWaiters(this.#now());
    this.#finishIfDrained();
  }

  #watchIdle(delayMs: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#idleTimer = undefined;
      this.#closeIdle(this.#now() - this.#options.idleTimeoutMs);
      const oldest = this.#idle[0];
      if (oldest === undefined) return;
      const restMs = oldest.idleSinceMs + this.#options.idleTimeoutMs - this.#now();
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

/** What `splice` does, without a list of what was removed. */
function removeAt<T>(list: T[], index: number): void {
  for (let i = index + 1; i < list.length; i++) list[i - 1] = list[i]!;
  list.pop();
}
