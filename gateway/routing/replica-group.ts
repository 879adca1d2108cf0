import type { Upstream } from './upstream.ts';
import { type WriteFloor, WriteFloors } from './write-floors.ts';

/** How long a replica that failed gets no reads, whatever its polls say. */
const DOWN_MS = 2_000;
/** A caller reads its own writes for at least this long, and for as long as reads may be behind. */
const MIN_WINDOW_MS = 10_000;
/** Samples of the primary's log; a replica further behind than they reach gets no reads. */
const MAX_SAMPLES = 600;

/** A server that replays the primary's log, and how far it has come. Times are those of `performance.now()`. */
export class ReplicaServer {
  /** Where it is asked how far it is. */
  readonly upstream: Upstream;
  /** Reads under way, for the choice of the least busy one. */
  inFlight = 0;
  replayedLsn = -1n;
  /** Everything that was committed until then can be read there. */
  asOfMs = Number.NEGATIVE_INFINITY;
  #downUntilMs = Number.NEGATIVE_INFINITY;
  #presence = { isGone: false };

  constructor(upstream: Upstream) {
    this.upstream = upstream;
  }

  /** For who begins something here: `isGone` once the server has gone silent, from which on nothing of what has begun will be answered. */
  get presence(): { readonly isGone: boolean } {
    return this.#presence;
  }

  isDown(nowMs: number): boolean {
    return nowMs < this.#downUntilMs;
  }

  /** It gets no reads for a while, and none until it has been asked again. */
  recordFailure(nowMs: number): void {
    this.#downUntilMs = nowMs + DOWN_MS;
    this.forget();
  }

  /** It says nothing any more: whoever waits for it hears of it, too. */
  recordSilence(nowMs: number): void {
    this.#presence.isGone = true;
    this.#presence = { isGone: false };
    this.recordFailure(nowMs);
  }

  forget(): void {
    this.asOfMs = Number.NEGATIVE_INFINITY;
    this.replayedLsn = -1n;
  }

  satisfies(floor: WriteFloor): boolean {
    return floor.lsn === undefined ? this.asOfMs >= floor.atMs : this.replayedLsn >= floor.lsn;
  }
}

/** What a read asks of the server that answers it. */
export interface ReadNeeds {
  /** Greatest age of the answer. */
  readonly maxLagMs: number;
  readonly floors: readonly WriteFloor[];
  readonly nowMs: number;
}

/**
 * A primary and the servers that follow it. How old a replica's answers may be is told by the gateway's own clock: the primary's place
 * in the log is noted with the time at which it was asked for, and a replica that has replayed as far as one of these notes shows
 * everything committed until then. Clocks of servers do not come into it.
 */
export class ReplicaGroup {
  readonly key: string;
  /** Where the primary's place in the log is asked for. */
  readonly primary: Upstream;
  readonly servers: readonly ReplicaServer[];
  readonly floors = new WriteFloors();
  /** When a request last could have used a replica. */
  lastUsedMs = Number.NEGATIVE_INFINITY;
  /** The strictest bound in use decides how often servers are asked. */
  strictestLagMs = Number.POSITIVE_INFINITY;
  #widestLagMs = MIN_WINDOW_MS;
  /** In the order of time. */
  #samples: { readonly atMs: number; readonly lsn: bigint }[] = [];

  constructor(key: string, primary: Upstream, servers: readonly ReplicaServer[]) {
    this.key = key;
    this.primary = primary;
    this.servers = servers;
  }

  /** @param askedAtMs when the question was sent: what was committed before is at or before `lsn` */
  recordPrimary(lsn: bigint, askedAtMs: number): void {
    this.#samples.push({ atMs: askedAtMs, lsn });
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
  }

  recordReplica(server: ReplicaServer, replayedLsn: bigint): void {
    server.replayedLsn = replayedLsn;
    server.asOfMs = this.#samples.findLast(({ lsn }) => lsn <= replayedLsn)?.atMs ?? Number.NEGATIVE_INFINITY;
  }

  noteUse({ maxLagMs }: Pick<ReadNeeds, 'maxLagMs'>): void {
    if (maxLagMs < this.strictestLagMs) this.strictestLagMs = maxLagMs;
    if (maxLagMs > this.#widestLagMs) this.#widestLagMs = maxLagMs;
  }

  /** Index of the least busy server that may answer; `undefined`: the primary. */
  choose({ maxLagMs, floors, nowMs }: ReadNeeds): number | undefined {
    let best: number | undefined;
    for (let i = 0; i < this.servers.length; i++) {
      const server = this.servers[i]!;
      if (nowMs - server.asOfMs > maxLagMs || server.isDown(nowMs)) continue;
      if (!floors.every((floor) => server.satisfies(floor))) continue;
      if (best === undefined || server.inFlight < this.servers[best]!.inFlight) best = i;
    }
    return best;
  }

  /** Drops what no read will need any more. */
  tidy(nowMs: number): void {
    this.floors.forget(
      (floor) =>
        floor.atMs < nowMs - this.#widestLagMs || this.servers.every((server) => server.satisfies(floor)),
    );
    // What every server has passed, save for the last such sample, will not be looked for again.
    const needed = this.#samples.findLastIndex(({ lsn }) =>
      this.servers.every(({ replayedLsn }) => replayedLsn >= lsn),
    );
    if (needed > 0) this.#samples = this.#samples.slice(needed);
  }
}
