import { GatewayError } from '../errors/gateway-error.ts';
import type { Abortable } from './abortable.ts';
import type { Connection } from './connection.ts';

/** How often what is running is looked at. A statement that ends sooner costs neither a timer nor a listener. */
const TICK_MS = 100;
/** Time for the server to act on a cancel before its socket is cut. */
const CANCEL_GRACE_MS = 2_000;

/** One transaction under way. */
export interface RunningTransaction {
  readonly connection: Connection;
  readonly signal: Abortable | undefined;
  deadlineMs: number;
  /** What it means when the deadline is past. */
  deadlineCode: 'GW202' | 'GW320';
  /** Called when it is stopped, before it is cancelled. */
  onStop: ((reason: GatewayError) => void) | undefined;
  /** Why it was stopped; the cause of whatever error follows. */
  stopReason: GatewayError | undefined;
  /** Settles when the request to cancel has been dealt with; `false` when it could not be delivered. */
  cancelled: Promise<boolean> | undefined;
  cutAtMs: number;
  /** Its place in the list of what is running; −1 when it has ended. */
  index: number;
}

/**
 * Watches what is running in all pools and stops what nobody waits for any longer, with one timer for all of them that stands still when
 * nothing runs.
 */
export class RunningTransactions {
  /** In no order. An array, because a Set with so many comings and goings keeps requests that have ended in memory (docs/performance.md). */
  readonly #running: RunningTransaction[] = [];
  #timer: NodeJS.Timeout | undefined;

  get size(): number {
    return this.#running.length;
  }

  /** @param deadlineMs as `Date.now()` counts */
  start(connection: Connection, signal: Abortable | undefined, deadlineMs: number): RunningTransaction {
    const running: RunningTransaction = {
      connection,
      signal,
      deadlineMs,
      deadlineCode: 'GW202',
      onStop: undefined,
      stopReason: undefined,
      cancelled: undefined,
      cutAtMs: Number.POSITIVE_INFINITY,
      index: this.#running.length,
    };
    this.#running.push(running);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    return running;
  }

  finish(running: RunningTransaction): void {
    const { index } = running;
    if (index < 0) return;
    running.index = -1;
    const last = this.#running.pop();
    if (last === undefined || last === running) return;
    // The last one takes the place that has become free.
    last.index = index;
    this.#running[index] = last;
  }

  /** Stops everything, as if all clients had gone. Resolves when the requests to cancel have been dealt with. @returns how many */
  async cancelAll(): Promise<number> {
    const running = [...this.#running];
    const now = Date.now();
    for (const each of running) if (each.stopReason === undefined) stop(each, new GatewayError('GW902'), now);
    await Promise.all(running.map(({ cancelled }) => cancelled));
    return running.length;
  }

  #tick(): void {
    if (this.#running.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const now = Date.now();
    for (const running of [...this.#running]) {
      if (running.stopReason !== undefined) {
        if (now >= running.cutAtMs) running.connection.destroy();
      } else if (running.signal?.aborted) {
        stop(running, new GatewayError('GW902'), now);
      } else if (now >= running.deadlineMs) {
        stop(running, new GatewayError(running.deadlineCode), now);
      }
    }
  }
}

function stop(running: RunningTransaction, reason: GatewayError, now: number): void {
  running.stopReason = reason;
  if (running.signal?.isServerGone === true) {
    running.onStop?.(reason);
    running.cancelled = Promise.resolve(false);
    running.connection.destroy();
    return;
  }
  running.cutAtMs = now + CANCEL_GRACE_MS;
  // A server that waits for its rows to be read hears of no cancel.
  running.onStop?.(reason);
  running.cancelled = running.connection.cancel();
}
