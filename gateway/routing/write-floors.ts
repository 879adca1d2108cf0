/** What a caller must not read behind: a place in the log, or, where that is not known, a time. */
export interface WriteFloor {
  readonly lsn: bigint | undefined;
  /** When the write was answered, on the clock of `performance.now()`. */
  readonly atMs: number;
}

/** Callers remembered; about 200 bytes each. */
const MAX_CALLERS = 10_000;

/**
 * Who wrote a moment ago, so that they read what they wrote. Writes end in the order of the log, nearly: the first entry is the oldest
 * and lowest.
 */
export class WriteFloors {
  readonly #floors = new Map<string, WriteFloor>();
  /** Holds for everybody: the highest floor that had to be dropped too early. */
  #common: WriteFloor | undefined;

  get size(): number {
    return this.#floors.size;
  }

  record(caller: string, floor: WriteFloor): void {
    this.#floors.delete(caller);
    this.#floors.set(caller, floor);
    if (this.#floors.size <= MAX_CALLERS) return;
    const [oldest, dropped] = this.#floors.entries().next().value!;
    this.#floors.delete(oldest);
    this.#common = dropped;
  }

  /** What holds for a caller, besides what it asks for itself. */
  of(caller: string): readonly WriteFloor[] {
    const own = this.#floors.get(caller);
    if (own === undefined) return this.#common === undefined ? [] : [this.#common];
    return this.#common === undefined ? [own] : [own, this.#common];
  }

  /** Forgets what every replica has replayed, and what is older than the window. */
  forget(isPast: (floor: WriteFloor) => boolean): void {
    if (this.#common !== undefined && isPast(this.#common)) this.#common = undefined;
    for (const [caller, floor] of this.#floors) {
      if (!isPast(floor)) return;
      this.#floors.delete(caller);
    }
  }
}
