/** How long a replica that failed gets no reads. */
const DOWN_MS = 5_000;

/**
 * Which replicas failed a moment ago. Lag is not looked at here; whoever measures it will ask for the same answer per replica.
 */
export class ReplicaHealth {
  readonly #downUntilMs = new Map<string, number>();

  /** @param key of the replica's upstream */
  recordFailure(key: string, nowMs = Date.now()): void {
    this.#downUntilMs.set(key, nowMs + DOWN_MS);
  }

  isHealthy(key: string, nowMs = Date.now()): boolean {
    const untilMs = this.#downUntilMs.get(key);
    if (untilMs === undefined) return true;
    if (nowMs < untilMs) return false;
    this.#downUntilMs.delete(key);
    return true;
  }
}
