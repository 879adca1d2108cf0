/** Losses are counted within this span. */
const WINDOW_MS = 10_000;
/** Fewer can be a tenant's DEALLOCATE ALL; then names are simply made anew. */
const MIN_LOSSES = 5;
/** An older PgBouncer loses the names of about every second batch. */
const MIN_LOSS_RATIO = 0.2;
/** Afterwards named statements are tried again. */
const UNNAMED_MS = 5 * 60_000;

/**
 * Whether an upstream keeps named statements. PgBouncer before 1.21, or with `max_prepared_statements = 0`, sends each transaction to
 * any server connection, where a name may be missing or taken; it cannot be asked, so it is told by its errors.
 */
export class StatementNaming {
  readonly #isWanted: boolean;
  #batches = 0;
  #losses = 0;
  #windowEndMs = 0;
  #unnamedUntilMs = 0;

  constructor(isWanted: boolean) {
    this.#isWanted = isWanted;
  }

  /** Decides for the next batch, and counts it. */
  useNames(): boolean {
    if (!this.#isWanted) return false;
    this.#batches++;
    return this.#unnamedUntilMs === 0 || this.#isOver();
  }

  /** A batch failed because the server did not know a name, or knew it already. */
  recordLoss(): void {
    const now = Date.now();
    if (now > this.#windowEndMs) {
      this.#windowEndMs = now + WINDOW_MS;
      this.#batches = 1;
      this.#losses = 0;
    }
    this.#losses++;
    if (this.#losses >= MIN_LOSSES && this.#losses >= this.#batches * MIN_LOSS_RATIO) {
      this.#unnamedUntilMs = now + UNNAMED_MS;
    }
  }

  #isOver(): boolean {
    if (Date.now() < this.#unnamedUntilMs) return false;
    this.#unnamedUntilMs = 0;
    this.#windowEndMs = 0;
    return true;
  }
}
