import type { ClientConfig } from 'pg';
import { GatewayError } from '../errors/gateway-error.ts';
import { connectReason } from '../platform/connect-reason.ts';
import { RefusedAddressError } from '../platform/network-policy.ts';
import type { Abortable } from './abortable.ts';
import { BatchWriter } from './batch-writer.ts';
import { Connection } from './connection.ts';
import {
  type Choosing,
  chooseWaiter,
  findPreferred,
  findWarm,
  isWorthWaiting,
  PATIENCE_MS,
} from './connection-choice.ts';
import { openWithRetry } from './open-with-retry.ts';
import { StatementNaming } from './statement-naming.ts';

export interface PoolOptions {
  readonly maxConnections: number;
  /** A connection at rest for this long is closed. */
  readonly idleTimeoutMs: number;
  /** An older connection is closed when it is given back, so that memory of a session is not kept for ever. */
  readonly maxLifetimeMs: number;
  /** 0: unnamed statements only. */
  readonly maxPreparedStatements: number;
}

export interface PoolStats {
  /** Open or being opened. */
  readonly size: number;
  readonly idle: number;
  readonly waiting: number;
}

export interface AcquireOptions {
  /** That the transaction will run as. */
  readonly role: string;
  /** Longest wait for a connection. */
  readonly timeoutMs: number;
  readonly signal?: Abortable | undefined;
}

interface Waiter extends Choosing {
  readonly give: (connection: Connection) => void;
  readonly fail: (error: Error) => void;
  /** As `Date.now()` counts. */
  readonly untilMs: number;
  readonly signal: Abortable | undefined;
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
  /** The last one is the one used last: the others get the chance to time out. While there are any, whoever waits does so by choice. */
  readonly #idle: Connection[] = [];
  readonly #open = new Set<Connection>();
  /** In the order of arrival. */
  readonly #waiters = new Set<Waiter>();
  #opening = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #waitTimer: NodeJS.Timeout | undefined;
  #patienceTimer: NodeJS.Timeout | undefined;
  #closed: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  constructor(config: ClientConfig, options: PoolOptions) {
    this.#config = config;
    this.#options = options;
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
   * A connection at rest, at once; `undefined` when there is none, or when waiting for a busy one is better.
   *
   * @param role that the transaction will run as: connections that ran its statements before are preferred
   */
  tryAcquire(role: string): Connection | undefined {
    const idle = this.#idle;
    if (idle.length === 0) return undefined;
    let index = findWarm(idle, role);
    if (index < 0) {
      if (isWorthWaiting(this.#open, role, performance.now())) return undefined;
      index = findPreferred(idle, role);
      if (index < 0) return undefined;
    }
    return this.#take(index);
  }

  /**
   * Waits for a connection, opening one when there is room.
   *
   * @throws {GatewayError} PGRST003 after `timeoutMs`, PGRST000 when none can be opened, GW902 when aborted
   */
  acquire({ role, timeoutMs, signal }: AcquireOptions): Promise<Connection> {
    if (this.#closed !== undefined) return Promise.reject(new GatewayError('GW201'));
    if (signal?.aborted) return Promise.reject(new GatewayError('GW902'));
    const now = performance.now();
    const patientUntilMs = isWorthWaiting(this.#open, role, now) ? now + PATIENCE_MS : 0;
    return new Promise((give, fail) => {
      this.#waiters.add({
        role,
        give,
        fail,
        untilMs: Date.now() + timeoutMs,
        patientUntilMs,
        skipped: 0,
        signal,
      });
      this.#waitTimer ??= setInterval(() => this.#sendAwayWaiters(), WAIT_TICK_MS);
      if (patientUntilMs === 0) this.#serveWaiters();
      else this.#watchPatience();
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
    connection.busySinceMs = 0;
    if (this.#waiters.size > 0) {
      const waiter = chooseWaiter(this.#waiters, connection, performance.now());
      if (waiter !== undefined) {
        this.#give(connection, waiter);
        return;
      }
    }
    connection.idleSinceMs = now;
    this.#idle.push(connection);
    if (this.#waiters.size > 0) this.#watchPatience();
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
    for (const waiter of this.#waiters) {
      if (waiter.signal?.aborted) this.#fail(waiter, new GatewayError('GW902'));
      else if (now >= waiter.untilMs) this.#fail(waiter, new GatewayError('PGRST003'));
    }
    if (this.#waiters.size > 0) return;
    clearInterval(this.#waitTimer);
    this.#waitTimer = undefined;
    this.#finishIfDrained();
  }

  #fail(waiter: Waiter, error: Error): void {
    this.#waiters.delete(waiter);
    waiter.fail(error);
  }

  #take(index: number): Connection {
    const connection = this.#idle[index]!;
    this.#idle.splice(index, 1);
    connection.busySinceMs = performance.now();
    return connection;
  }

  #give(connection: Connection, waiter: Waiter): void {
    this.#waiters.delete(waiter);
    connection.busySinceMs = performance.now();
    waiter.give(connection);
  }

  /** Gives connections at rest to who waits, and opens more for those who would take any. */
  #serveWaiters(): void {
    const now = performance.now();
    for (const connection of this.#idle.toReversed()) {
      if (this.#waiters.size === 0) return;
      const waiter = connection.isOpen ? chooseWaiter(this.#waiters, connection, now) : undefined;
      if (connection.isOpen && waiter === undefined) continue;
      this.#idle.splice(this.#idle.indexOf(connection), 1);
      if (waiter !== undefined) this.#give(connection, waiter);
    }
    let impatient = 0;
    for (const { patientUntilMs } of this.#waiters) if (patientUntilMs <= now) impatient++;
    if (impatient < this.#waiters.size) this.#watchPatience();
    const room = this.#options.maxConnections - this.#open.size - this.#opening;
    const wanted = impatient - this.#opening;
    for (let i = 0; i < Math.min(room, wanted); i++) void this.#openOne();
  }

  /** Whoever waits for one connection while others are at rest takes any in the end. */
  #watchPatience(): void {
    this.#patienceTimer ??= setTimeout(() => {
      this.#patienceTimer = undefined;
      if (this.#waiters.size > 0) this.#serveWaiters();
    }, PATIENCE_MS + 1);
  }

  /** Never rejects: whoever waits hears of a failure. */
  async #openOne(): Promise<void> {
    this.#opening++;
    try {
      const connection = await openWithRetry(() =>
        Connection.open(this.#config, {
          maxPreparedStatements: this.#options.maxPreparedStatements,
          writer: this.#writer,
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
        for (const waiter of this.#waiters) this.#fail(waiter, error);
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

/** Says what happened, never where: the texts of the cause hold addresses and names. */
function connectFailure(cause: unknown): GatewayError {
  if (cause instanceof RefusedAddressError) return new GatewayError('GW204', { cause });
  return new GatewayError('PGRST000', { cause, details: sentence(connectReason(cause)) });
}

function sentence(reason: string): string {
  return reason.charAt(0).toUpperCase() + reason.slice(1);
}
