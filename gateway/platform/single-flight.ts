interface Flight<V> {
  /** Replaced by an invalidation, which aborts the old one. */
  controller: AbortController;
  promise: Promise<V>;
}

/**
 * At most one load per key at a time; whoever asks meanwhile waits for the same one. An invalidation during a load cuts it: its
 * waiters get a value whose load began after the invalidation, so that what was read before a change is never handed out after it.
 */
export class SingleFlight<V> {
  readonly #flights = new Map<string, Flight<V>>();
  readonly #publish: ((key: string, value: V) => void) | undefined;

  /**
   * @param options.publish called with each valid value (to cache it), in the same tick in which the load is known to be valid
   */
  constructor(options: { publish?: (key: string, value: V) => void } = {}) {
    this.#publish = options.publish;
  }

  /**
   * @param load aborted by an invalidation of `key`, then called again; its rejection goes to all waiters and is not kept
   */
  run(key: string, load: (signal: AbortSignal) => Promise<V>): Promise<V> {
    const running = this.#flights.get(key);
    if (running !== undefined) return running.promise;
    const controller = new AbortController();
    const { promise, resolve, reject } = Promise.withResolvers<V>();
    const flight: Flight<V> = { controller, promise };
    this.#flights.set(key, flight);
    this.#loadUntilValid({ key, flight, load }).then(resolve, reject);
    return promise;
  }

  invalidate(key: string): void {
    const flight = this.#flights.get(key);
    if (flight === undefined) return;
    const { controller } = flight;
    flight.controller = new AbortController();
    controller.abort(new Error('invalidated during the load'));
  }

  invalidateAll(): void {
    for (const key of [...this.#flights.keys()]) this.invalidate(key);
  }

  /** Keys being loaded now. */
  get size(): number {
    return this.#flights.size;
  }

  async #loadUntilValid({
    key,
    flight,
    load,
  }: {
    key: string;
    flight: Flight<V>;
    load: (signal: AbortSignal) => Promise<V>;
  }): Promise<V> {
    for (;;) {
      const { controller } = flight;
      try {
        const value = await unlessAborted(load, controller.signal);
        if (controller.signal.aborted) continue;
        this.#flights.delete(key);
        this.#publish?.(key, value);
        return value;
      } catch (error) {
        if (controller.signal.aborted) continue;
        this.#flights.delete(key);
        throw error;
      }
    }
  }
}

/** Rejects as soon as `signal` aborts, also when `load` takes no notice of it. */
function unlessAborted<V>(load: (signal: AbortSignal) => Promise<V>, signal: AbortSignal): Promise<V> {
  return new Promise<V>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    // Inside an async function, a `load` that throws instead of rejecting takes the same way.
    (async () => await load(signal))()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}
