/** A session at work, as far as waiting for it goes. */
export interface BusySession {
  readonly isAtRest: boolean;
  /** When it was given out last, as `Date.now()` counts. */
  readonly takenAtMs: number;
}

/** What transactions take at first sight. */
const FIRST_GUESS_MS = 1;
/** Each transaction moves the mean by this part of its distance. */
const SHARE_OF_ONE = 1 / 32;
/** Longer ones count as this: one of an hour says nothing of the next. */
const LONG_MS = 50;
/** Where transactions take longer on the whole, nobody waits: preparing a statement anew costs a millisecond or two. */
const MAX_MEAN_MS = 5;
/** A session that is busy comes free within the mean; a few may be before us. */
const MEANS = 4;
const MIN_WAIT_MS = 2;

/**
 * How long a request may wait for a session that knows its role while others are at rest: a few times what transactions take in this pool at
 * the moment, and not at all where that is long.
 */
export class Patience {
  #meanMs = FIRST_GUESS_MS;

  /** A transaction has ended. */
  record(durationMs: number): void {
    this.#meanMs += (Math.min(durationMs, LONG_MS) - this.#meanMs) * SHARE_OF_ONE;
  }

  /** Milliseconds that a request may wait for one of these; 0 when it should not: there are none, or what they do takes longer than usual. */
  waitFor(sessions: readonly BusySession[], nowMs: number): number {
    if (sessions.length === 0 || this.#meanMs > MAX_MEAN_MS) return 0;
    const waitMs = Math.max(MIN_WAIT_MS, MEANS * this.#meanMs);
    for (let i = 0; i < sessions.length; i++) {
      const { isAtRest, takenAtMs } = sessions[i]!;
      if (!isAtRest && nowMs - takenAtMs <= waitMs) return waitMs;
    }
    return 0;
  }
}
