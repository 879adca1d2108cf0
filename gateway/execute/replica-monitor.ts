import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../errors/gateway-error.ts';
import type { Observe } from '../platform/observation.ts';
import type { StatementResult } from '../platform/result-set.ts';
import type { SqlStatement } from '../platform/sql.ts';
import { parseLsn } from '../routing/lsn.ts';
import type { ReplicaGroup, ReplicaServer } from '../routing/replica-group.ts';
import type { Upstream } from '../routing/upstream.ts';
import type { Abortable } from './abortable.ts';
import { LOG_POSITION } from './log-position.sql.ts';
import type { PoolCache } from './pool-cache.ts';
import { runReadOnly } from './run-read-only.ts';

/** Between two polls, at most and at least: a bound on lag is looked at four times while it passes. */
const MAX_INTERVAL_MS = 1_000;
const MIN_INTERVAL_MS = 100;
/** After a write, so that its writer is soon back on the replicas. */
const SOON_MS = 50;
const POLL_TIMEOUT_MS = 2_000;
/** A server that has not answered by then is tried over another connection: its own may all be in use. */
const SLOW_MS = 500;
/** So long a server that is there may take to let that connection in. */
const SILENT_MS = 1_500;
/** A group that no request asks for is left alone after this. */
const UNUSED_MS = 60_000;

const PRIMARY_LSN: SqlStatement = {
  text: `SELECT ${LOG_POSITION.expression}, c.system_identifier::text
    FROM ${LOG_POSITION.from}, pg_catalog.pg_control_system() c`,
  values: [],
};
// NULL on a server that replays nothing.
const REPLICA_LSN: SqlStatement = {
  text: `SELECT pg_catalog.pg_last_wal_replay_lsn()::text, c.system_identifier::text, pg_catalog.pg_is_in_recovery()::text
    FROM pg_catalog.pg_control_system() c`,
  values: [],
};

interface Watch {
  /** Ends the pause between two polls. */
  wake: AbortController;
  isSoon: boolean;
}

/**
 * Asks primaries and replicas that are in use how far they are, over one connection of the pools that requests use. A group nobody
 * reads from is not asked.
 */
export class ReplicaMonitor {
  readonly #pools: PoolCache;
  readonly #observe: Observe;
  readonly #watched = new Map<ReplicaGroup, Watch>();
  readonly #asked = new WeakSet<ReplicaServer>();
  readonly #loops = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor({ pools, observe }: { readonly pools: PoolCache; readonly observe: Observe }) {
    this.#pools = pools;
    this.#observe = observe;
  }

  /** Goes on asking the group's servers for a while. */
  watch(group: ReplicaGroup): void {
    group.lastUsedMs = performance.now();
    if (this.#watched.has(group) || this.#closing.signal.aborted) return;
    const watch: Watch = { wake: new AbortController(), isSoon: false };
    this.#watched.set(group, watch);
    const loop = this.#run(group, watch).finally(() => {
      this.#watched.delete(group);
      this.#loops.delete(loop);
    });
    this.#loops.add(loop);
  }

  /** Something was written: asks again shortly. */
  hurry(group: ReplicaGroup): void {
    const watch = this.#watched.get(group);
    if (watch === undefined || watch.isSoon) return;
    watch.isSoon = true;
    watch.wake.abort();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const { wake } of this.#watched.values()) wake.abort();
    await Promise.all(this.#loops);
  }

  /** Never rejects. */
  async #run(group: ReplicaGroup, watch: Watch): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await this.#poll(group);
      } catch {
        // The tenant is somewhere else by now, and has another group there.
        return;
      }
      const nowMs = performance.now();
      group.tidy(nowMs);
      if (nowMs - group.lastUsedMs > UNUSED_MS) return;
      await this.#pause(group, watch);
    }
  }

  async #pause(group: ReplicaGroup, watch: Watch): Promise<void> {
    if (!watch.isSoon) await pause(intervalOf(group), watch.wake.signal);
    if (!watch.isSoon) return;
    watch.isSoon = false;
    watch.wake = new AbortController();
    await pause(SOON_MS, this.#closing.signal);
  }

  /** The primary first: what a replica has replayed after that is compared with it. */
  async #poll(group: ReplicaGroup): Promise<void> {
    const askedAtMs = performance.now();
    const primary = await this.#ask(group.primary, PRIMARY_LSN);
    const lsn = lsnOf(primary);
    if (lsn !== undefined) group.recordPrimary(lsn, askedAtMs);
    const polls = group.servers.map((server) => this.#pollReplica(group, server, primary));
    // What is known of the others must not get old because one is silent.
    await Promise.race([Promise.all(polls), pause(SLOW_MS, this.#closing.signal)]);
  }

  async #pollReplica(
    group: ReplicaGroup,
    server: ReplicaServer,
    primary: StatementResult | undefined,
  ): Promise<void> {
    if (this.#asked.has(server)) return;
    this.#asked.add(server);
    const answer = await this.#askReplica(server).finally(() => this.#asked.delete(server));
    if (answer === undefined) return server.forget();
    const [, system, isInRecovery] = answer.rows[0]!;
    // Another cluster's log, or that of a replica that was promoted, has nothing to do with the primary's.
    const isOther = primary !== undefined && primary.rows[0]?.[1] !== system;
    if (isOther || isInRecovery !== 'true') {
      server.forget();
      const cause = new Error(isOther ? 'it is a replica of another cluster' : 'it is not a replica');
      this.#tell(server.upstream, cause);
      return;
    }
    const lsn = lsnOf(answer);
    // It has just started and replayed nothing.
    if (lsn === undefined) server.forget();
    else group.recordReplica(server, lsn);
  }

  /** One that is silent, as opposed to busy, is given up at once, and so is what waits for it. */
  async #askReplica(server: ReplicaServer): Promise<StatementResult | undefined> {
    const { upstream, presence } = server;
    const { signal } = this.#closing;
    const asking = this.#ask(upstream, REPLICA_LSN, {
      get aborted() {
        return signal.aborted || presence.isGone;
      },
      get isServerGone() {
        return presence.isGone;
      },
    });
    const isSlow = await Promise.race([asking.then(() => false), pause(SLOW_MS, signal).then(() => true)]);
    if (isSlow && !signal.aborted && !(await this.#pools.isAnswering(upstream, SILENT_MS))) {
      server.recordSilence(performance.now());
    }
    return asking;
  }

  async #ask(
    upstream: Upstream,
    statement: SqlStatement,
    signal: Abortable = this.#closing.signal,
  ): Promise<StatementResult | undefined> {
    try {
      const [result] = await runReadOnly(this.#pools, upstream, [statement], {
        role: 'none',
        statementTimeoutMs: POLL_TIMEOUT_MS,
        deadlineMs: Date.now() + POLL_TIMEOUT_MS,
        signal,
        isUrgent: true,
      });
      return result;
    } catch (cause) {
      if (hasMoved(cause)) throw cause;
      this.#tell(upstream, cause);
      return undefined;
    }
  }

  #tell(upstream: Upstream, cause: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#observe({ kind: 'upstream-failed', tenantId: undefined, upstream: upstream.name, cause });
  }
}

function hasMoved(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'GW103';
}

function intervalOf({ strictestLagMs }: ReplicaGroup): number {
  return Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, strictestLagMs / 4));
}

function lsnOf(answer: StatementResult | undefined): bigint | undefined {
  const text = answer?.rows[0]?.[0];
  return text === null || text === undefined ? undefined : parseLsn(text);
}

/** An abort ends it early. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
}
