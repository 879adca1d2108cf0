import type { PgBouncerConsole } from './console.ts';

/**
 * Pauses that end by themselves: PgBouncer knows none, and one that nobody takes back holds every request until its client gives up. Whatever was paused is
 * resumed by the next start of the process as well.
 */
export class PgBouncerPauses {
  readonly #console: PgBouncerConsole;
  readonly #timers = new Map<string | undefined, NodeJS.Timeout>();

  constructor(console: PgBouncerConsole) {
    this.#console = console;
  }

  /**
   * Lets what runs end and holds what follows, of one database or of all.
   *
   * @param options.waitMs for what runs; when it takes longer nothing is held
   * @param options.forMs from when it has come to rest
   * @returns when it ends at the latest
   * @throws {Error} when it does not come to rest, or PgBouncer cannot be reached
   */
  async begin(
    database: string | undefined,
    { waitMs, forMs }: { readonly waitMs: number; readonly forMs: number },
  ): Promise<Date> {
    // While it waits for what runs it is bounded as well.
    this.#endAfter(database, waitMs + forMs);
    try {
      await this.#console.pause(database, waitMs);
    } catch (error) {
      this.#forget(database);
      throw error;
    }
    this.#endAfter(database, forMs);
    return new Date(Date.now() + forMs);
  }

  /** Lets requests go on. @throws {Error} when PgBouncer cannot be reached */
  async end(database: string | undefined): Promise<void> {
    this.#forget(database);
    await this.#resume(database);
  }

  /** Ends what an earlier process, or somebody else, has begun. @throws {Error} when PgBouncer cannot be reached */
  async endAll(): Promise<void> {
    // A pause of everything is told by no row of these.
    await this.end(undefined);
    for (const { name, paused } of await this.#console.show('databases')) {
      if (Number(paused) === 1) await this.#resume(String(name));
    }
  }

  /** Ends all that this process began. */
  async close(): Promise<void> {
    await Promise.all([...this.#timers.keys()].map((database) => this.end(database).catch(() => undefined)));
  }

  #endAfter(database: string | undefined, ms: number): void {
    this.#forget(database);
    // Whoever waits hears of a failure, and the next start tries again.
    const timer = setTimeout(() => void this.end(database).catch(() => undefined), ms);
    this.#timers.set(database, timer.unref());
  }

  async #resume(database: string | undefined): Promise<void> {
    try {
      await this.#console.resume(database);
    } catch (error) {
      if (!(error instanceof Error && /not paused/.test(error.message))) throw error;
    }
  }

  #forget(database: string | undefined): void {
    clearTimeout(this.#timers.get(database));
    this.#timers.delete(database);
  }
}
