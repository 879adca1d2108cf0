import type { Abortable } from './abortable.ts';
import type { Connection } from './connection.ts';

/** Somebody who waits for a connection. */
export interface Waiter {
  /** Whose request it is. */
  readonly owner: string;
  readonly give: (connection: Connection) => void;
  readonly fail: (error: Error) => void;
  /** As `Date.now()` counts. */
  readonly untilMs: number;
  readonly signal: Abortable | undefined;
}

/**
 * Those who wait for a connection, in one queue for each owner. Owners take turns, so that the length of one's queue is nobody else's
 * wait; within a queue the first comes first.
 */
export class WaitQueue {
  /** In the order of their turns. */
  readonly #queues = new Map<string, Set<Waiter>>();
  readonly #urgent = new Set<Waiter>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  lengthOf(owner: string): number {
    return this.#queues.get(owner)?.size ?? 0;
  }

  add(waiter: Waiter, isUrgent: boolean): void {
    let queue = isUrgent ? this.#urgent : this.#queues.get(waiter.owner);
    if (queue === undefined) {
      queue = new Set();
      this.#queues.set(waiter.owner, queue);
    }
    queue.add(waiter);
    this.#size++;
  }

  /** @returns `false` when it was not waiting any more */
  remove(waiter: Waiter): boolean {
    const queue = this.#urgent.has(waiter) ? this.#urgent : this.#queues.get(waiter.owner);
    if (queue?.delete(waiter) !== true) return false;
    if (queue.size === 0 && queue !== this.#urgent) this.#queues.delete(waiter.owner);
    this.#size--;
    return true;
  }

  /** The next one in turn among the owners that `isServed` lets through; its owner goes to the end of the line. */
  take(isServed: (owner: string) => boolean): Waiter | undefined {
    const [urgent] = this.#urgent;
    if (urgent !== undefined) {
      this.remove(urgent);
      return urgent;
    }
    for (const [owner, queue] of this.#queues) {
      if (!isServed(owner)) continue;
      const [waiter] = queue;
      if (waiter === undefined) continue;
      this.remove(waiter);
      if (this.#queues.delete(owner)) this.#queues.set(owner, queue);
      return waiter;
    }
    return undefined;
  }

  /** How many could be served if there were connections without end, `roomFor` each owner. */
  countServable(roomFor: (owner: string) => number): number {
    let count = this.#urgent.size;
    for (const [owner, queue] of this.#queues) count += Math.max(0, Math.min(queue.size, roomFor(owner)));
    return count;
  }

  all(): readonly Waiter[] {
    return [...this.#urgent, ...[...this.#queues.values()].flatMap((queue) => [...queue])];
  }
}
