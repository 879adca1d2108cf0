import type { Abortable } from './abortable.ts';
import type { Connection } from './connection.ts';

/** Somebody who waits for a connection. */
export interface Waiter {
  /** Whose request it is. */
  readonly owner: string;
  /** What its transaction will run as. */
  readonly role?: string | undefined;
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
   * The next one in turn among the owners that `isServed` lets through; its owner goes to the end of the line.
   *
   * @param suits whether the connection at hand has run statements of the waiter's role: with many tenants at once, planning them anew in session after session costs
   * several times the statements themselves. Such a waiter goes first, though nobody is passed over for long
   */
  take(isServed: (owner: string) => boolean, suits?: (role: string) => boolean): Waiter | undefined {
    const urgent = this.#urgent.shift();
    if (urgent !== undefined) {
      this.#size--;
      return urgent;
    }
    const turn = this.#turnOf(isServed, suits);
    const queue = this.#turns[turn];
    if (queue === undefined) return undefined;
    this.#turns.splice(turn, 1);
    queue.passedOver = 0;
    const waiter = queue.waiters.shift();
    if (queue.waiters.length > 0) this.#turns.push(queue);
    this.#size--;
    return waiter;
  }

  #turnOf(isServed: (owner: string) => boolean, suits?: (role: string) => boolean): number {
    let first = -1;
    for (let turn = 0; turn < this.#turns.length; turn++) {
      const queue = this.#turns[turn]!;
      if (!isServed(queue.owner)) continue;
      if (first < 0) {
        if (suits === undefined || queue.passedOver >= MAX_PASSED_OVER) return turn;
        first = turn;
      }
      const { role } = queue.waiters[0]!;
      if (role !== undefined && suits?.(role)) {
        if (turn !== first) this.#turns[first]!.passedOver++;
        return turn;
      }
      if (turn >= MAX_LOOKED_AT) break;
    }
    return first;
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
