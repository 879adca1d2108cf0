/**
 * A clock that is looked at once in a turn of the event loop at most: reading the system's is a call out of compiled code, and a request wants the time half a dozen
 * times. It stands still while a turn lasts, a millisecond or so under load, so it is for deadlines and for what came before what, not for measuring.
 */
export class TurnClock {
  /** Milliseconds, on the scale of what it was made of. */
  readonly now: () => number;

  /** @param read the clock behind it */
  constructor(read: () => number = Date.now) {
    let known: number | undefined;
    const forget = (): void => {
      known = undefined;
    };
    this.now = () => {
      if (known === undefined) {
        known = read();
        // While one is pending the loop does not wait for anything.
        setImmediate(forget);
      }
      return known;
    };
  }
}
