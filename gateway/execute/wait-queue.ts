import type { Abortable } from './abortable.ts';
import type { Connection } from './connection.ts';

/** Somebody who waits for a connection. */
export interface Waiter {
  /** Whose request it is. */
  readonly owner: string;
  /** What its transaction will run as. */
  readonly role?: string | undefined;
  /** Sessions that have statements of the role prepared. */
  readonly sessions?: readonly Connection[] | undefined;
  /** Until here it waits for one of these, as `Date.now()` counts, though others are at rest. */
  readonly patientUntilMs?: number | undefined;
  readonly give: (connection: Connection) => void;
  readonly fail: (error: Error) => void;
  /** As `Date.now()` counts. */
  readonly untilMs: number;
  readonly signal: Abortable | undefined;
}

/** One owner's waiters, in the order of their arrival. */
interface OwnQueue {
  readonly owner: string;
  readonly waiters: Waiter[];
  /** How often others were served in its turn. */
  passedOver: number;
}

/** Longest that owners are looked at for one that a connection suits. */
const MAX_LOOKED_AT = 32;
/** Whose turn it is, is served after this many others at the latest. */
const MAX_PASSED_OVER = 16;

/** Owners without waiters are remembered up to this number, because most of them come back at once. */
const MAX_EMPTY_QUEUES = 1_000;

/**
 * Those who wait for a connection, in one queue for each owner. Owners take turns, so that the length of one's queue is nobody else's
 * wait; within a queue the first comes first.
 *
 * Under load most requests pass through here. Lists are arrays: a Set or Map that is added to and deleted from all the time leaves a chain
 * of old tables, each of which keeps what was in it alive until a full collection (docs/performance.md).
 */
export class WaitQueue {
  readonly #queues = new Map<string, OwnQueue>();
  /** Queues that are not empty, in the order of their turns. */
  readonly #turns: OwnQueue[] = [];
  readonly #urgent: Waiter[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  lengthOf(owner: string): number {
    return this.#queues.get(owner)?.waiters.length ?? 0;
  }

  add(waiter: Waiter, isUrgent: boolean): void {
    this.#size++;
    if (isUrgent) {
      this.#urgent.push(waiter);
      return;
    }
    const queue = this.#queueOf(waiter.owner);
    if (queue.waiters.push(waiter) === 1) this.#turns.push(queue);
  }

  /** @returns `false` when it was not waiting any more */
  remove(waiter: Waiter): boolean {
    const queue = this.#queues.get(waiter.owner);
    if (queue !== undefined && withdraw(queue.waiters, waiter)) {
      if (queue.waiters.length === 0) withdraw(this.#turns, queue);
    } else if (!withdraw(this.#urgent, waiter)) return false;
    this.#size--;
    return true;
  }

  /**
   * The next one in turn among the owners that `isServed` lets through; its owner goes to the end of the line. Who waits for a session that
   * knows its role, and is its owner's only one, has no turn before it gets that or its patience is over.
   *
   * @param released a connection that has just become free. Who waits for it goes first, since preparing statements anew in session after session costs
   * several times the statements themselves; but nobody is passed over for long
   */
  take(isServed: (owner: string) => boolean, nowMs: number, released?: Connection): Waiter | undefined {
    const urgent = this.#urgent.shift();
    if (urgent !== undefined) {
      this.#size--;
      return urgent;
    }
    const turn = this.#turnOf(isServed, nowMs, released);
    const queue = this.#turns[turn];
    if (queue === undefined) return undefined;
    this.#turns.splice(turn, 1);
    queue.passedOver = 0;
    const waiter = queue.waiters.shift();
    if (queue.waiters.length > 0) this.#turns.push(queue);
    this.#size--;
    return waiter;
  }

  #turnOf(isServed: (owner: string) => boolean, nowMs: number, released: Connection | undefined): number {
    let first = -1;
    const end = Math.min(this.#turns.length, MAX_LOOKED_AT);
    for (let turn = 0; turn < this.#turns.length && (turn < end || first < 0); turn++) {
      const queue = this.#turns[turn]!;
      const { waiters } = queue;
      const { sessions, patientUntilMs = 0 } = waiters[0]!;
      const isSuited = released !== undefined && sessions?.includes(released) === true;
      if (!isSuited && (first >= 0 || (waiters.length === 1 && patientUntilMs > nowMs))) continue;
      if (!isServed(queue.owner)) continue;
      if (isSuited) {
        if (first >= 0) this.#turns[first]!.passedOver++;
        return turn;
      }
      if (released === undefined || queue.passedOver >= MAX_PASSED_OVER) return turn;
      first = turn;
    }
    return first;
  }

  /** Until when the first of those is patient who wait for a session; `undefined` when nobody does. */
  patientUntilMs(): number | undefined {
    let untilMs: number | undefined;
    for (const { waiters } of this.#turns) {
      const own = waiters.length === 1 ? waiters[0]!.patientUntilMs : undefined;
      if (own !== undefined && (untilMs === undefined || own < untilMs)) untilMs = own;
    }
    return untilMs;
  }

  /** How many could be served if there were connections without end, `roomFor` each owner. */
  countServable(roomFor: (owner: string) => number): number {
    let count = this.#urgent.length;
    for (const { owner, waiters } of this.#turns) {
      count += Math.max(0, Math.min(waiters.length, roomFor(owner)));
    }
    return count;
  }

  all(): readonly Waiter[] {
    return [...this.#urgent, ...this.#turns.flatMap(({ waiters }) => waiters)];
  }

  #queueOf(owner: string): OwnQueue {
    let queue = this.#queues.get(owner);
    if (queue === undefined) {
      if (this.#queues.size >= this.#turns.length + MAX_EMPTY_QUEUES) this.#forgetEmpty();
      queue = { owner, waiters: [], passedOver: 0 };
      this.#queues.set(owner, queue);
    }
    return queue;
  }

  #forgetEmpty(): void {
    for (const [owner, { waiters }] of this.#queues) if (waiters.length === 0) this.#queues.delete(owner);
  }
}

/** @returns whether it was there */
function withdraw<T>(list: T[], item: T): boolean {
  const index = list.indexOf(item);
  if (index < 0) return false;
  list.splice(index, 1);
  return true;
}
