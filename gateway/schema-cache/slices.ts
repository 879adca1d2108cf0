import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Cuts long work into slices, between which the requests of others go on. Work is counted, not timed: a slice is as long for a
 * busy machine as for a quiet one, and can be tested.
 *
 * @example if (slices.spend(1)) await slices.rest();
 */
export class Slices {
  readonly #unitsPerSlice: number;
  #left: number;

  /** @param unitsPerSlice about a millisecond's worth of whatever is counted */
  constructor(unitsPerSlice: number) {
    this.#unitsPerSlice = unitsPerSlice;
    this.#left = unitsPerSlice;
  }

  /** Counts work that was done; `true` when it is time to rest. */
  spend(units: number): boolean {
    this.#left -= units;
    return this.#left <= 0;
  }

  /** Lets everything else have its turn. */
  async rest(): Promise<void> {
    await nextTurn();
    this.#left = this.#unitsPerSlice;
  }
}
