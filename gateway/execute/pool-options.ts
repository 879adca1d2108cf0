import type { TurnWrites } from '../platform/turn-writes.ts';
import type { Abortable } from './abortable.ts';

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
  /** Requests may wait a moment for a session that knows their role: roles are many, and each connection is always the same session. */
  readonly isPatient?: boolean | undefined;
  /** Sends what connections have to say; by default it is sent at once. */
  readonly writes?: TurnWrites | undefined;
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
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
