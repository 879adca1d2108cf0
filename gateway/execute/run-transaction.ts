import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from 'pg';
import { GatewayError } from '../errors/gateway-error.ts';
import type { ResultSet, StatementResult } from '../platform/result-set.ts';
import type { SqlStatement } from '../platform/sql.ts';
import type { TransactionRequest } from '../query/transaction-request.ts';
import type { Upstream } from '../routing/upstream.ts';
import type { Abortable } from './abortable.ts';
import type { Batch } from './batch.ts';
import { classifyFailure } from './batch-failure.ts';
import type { BatchStatements, Connection } from './connection.ts';
import { LOG_POSITION } from './log-position.sql.ts';
import type { Pool } from './pool.ts';
import type { PoolCache, PoolLease } from './pool-cache.ts';
import type { BatchPlan, BatchWrapping, RoleSwitch, TransactionStart } from './role-switch/role-switch.ts';
import type { RowSink } from './row-sink.ts';
import type { RunningTransaction } from './running-transactions.ts';

/** When the caller gives no deadline. */
export const MAX_DEADLINE_MS = 60_000;
/** For getting a connection, and for the server's own timeout to be heard of. */
const DEADLINE_GRACE_MS = 5_000;
/** At most: names lost, then an unexpected start, then the attempt that counts. */
const MAX_ATTEMPTS = 3;

/**
 * Before a read whose connection broke is run again. All connections to a server that restarts break, but one after another: the next one at hand may be
 * broken too, and the pool hears of it in the next turn of the event loop at the earliest.
 */
const REPEAT_PAUSES_MS = [10, 50, 200];

/** PostgreSQL shuts down, crashed, or starts; PgBouncer's one code for all that ends a client's connection. */
const LOST_STATES: ReadonlySet<string> = new Set(['57P01', '57P02', '57P03', '08P01']);

const ROLLBACK: BatchStatements = housekeeping('ROLLBACK');
const PROBE: BatchStatements = housekeeping('RESET ALL');
/** Runs after the commit. */
const COMMIT_LSN: SqlStatement = {
  text: `SELECT ${LOG_POSITION.expression} FROM ${LOG_POSITION.from}`,
  values: [],
};

export interface RunOptions {
  /** Aborted when the client has gone: what is running is cancelled. */
  readonly signal?: Abortable | undefined;
  /** Absolute, as `Date.now()` counts: covers the wait for a connection and the transaction. */
  readonly deadlineMs?: number | undefined;
  /** Whose request it is: connections of a shared pool are given to owners in turn. */
  readonly owner?: string | undefined;
  /** Longest queue that the owner may have in the pool. */
  readonly maxQueue?: number | undefined;
  /** Served before all others, for what watches over upstreams. */
  readonly isUrgent?: boolean | undefined;
  /** A read is not run again here: there is another place for it. */
  readonly isOnce?: boolean | undefined;
  /** Tells, in the same round trip, where in the log a transaction that commits has ended. */
  readonly wantsCommitLsn?: boolean | undefined;
  /** Told once, when the transaction has ended, what it failed with; nothing when it did not. Instead of a promise around this one. */
  readonly onEnd?: ((error?: unknown) => void) | undefined;
  /** Told, before the error is thrown, which of the request's statements failed; of a failed commit or start nothing is told. */
  readonly onFailedStatement?: ((index: number) => void) | undefined;
}

/**
 * Runs one request's transaction in one round trip. Nothing that may have taken effect is ever run twice; what only reads is run again, on another
 * connection, when its connection broke (PgBouncer or PostgreSQL restarted).
 *
 * @throws {GatewayError} PGRST003 no connection came free in time, PGRST000 none could be made, PGRST001 it broke midway, GW202 past the
 * deadline, GW902 the client has gone
 * @throws {DatabaseError} of `pg`, untouched, for whatever the server refuses; the first error of the batch
 */
export async function runTransaction(
  pools: PoolCache,
  upstream: Upstream,
  request: TransactionRequest,
  given: RunOptions = {},
): Promise<ResultSet> {
  const { signal, owner = '' } = given;
  const deadlineMs = given.deadlineMs ?? defaultDeadlineMs(request, pools.now());
  let lease: PoolLease | undefined;
  let failure: unknown;
  // One function without another around it: each would be a promise more for every request.
  try {
    lease = pools.lease(upstream);
    const { pool } = lease;
    const connection =
      pool.tryAcquire(owner, request.role) ??
      (await pool.acquire({
        owner,
        role: request.role,
        maxQueue: given.maxQueue,
        isUrgent: given.isUrgent,
        timeoutMs: pools.acquireTimeoutMs(deadlineMs),
        signal,
      }));
    const running = pools.running.start(connection, signal, deadlineMs);
    try {
      const roleSwitch = pools.roleSwitchFor(upstream);
      const wanted: Attempts = { request, onFailedStatement: given.onFailedStatement };
      if (given.wantsCommitLsn === true && request.end === 'commit') {
        return ended(given, await runAndLocate(roleSwitch, pool, running, wanted));
      }
      const attempt = startAttempt(roleSwitch, pool, running, wanted);
      const { result } = attempt.batch;
      try {
        return ended(given, { results: wantedResults(attempt.plan, await result) });
      } catch (raised) {
        return ended(given, { results: await afterFailure(attempt, raised) });
      }
    } catch (error) {
      throw running.stopReason ?? asFailure(error);
    } finally {
      finishRunning(pools, pool, running);
    }
  } catch (error) {
    failure = error;
  } finally {
    lease?.release();
  }
  if (request.accessMode !== 'read only' || given.isOnce === true) throw endedBy(given, failure);
  return runAgain({ pools, upstream, request }, { ...given, deadlineMs, isOnce: true }, failure);
}

function ended({ onEnd }: RunOptions, resultSet: ResultSet): ResultSet {
  onEnd?.();
  return resultSet;
}

function endedBy({ onEnd }: RunOptions, error: unknown): unknown {
  onEnd?.(error);
  return error;
}

interface Repeatable {
  readonly pools: PoolCache;
  readonly upstream: Upstream;
  readonly request: TransactionRequest;
}

async function runAgain(
  { pools, upstream, request }: Repeatable,
  once: RunOptions,
  error: unknown,
): Promise<ResultSet> {
  let failure = error;
  for (const pauseMs of REPEAT_PAUSES_MS) {
    if (!isConnectionLost(failure)) break;
    await sleep(pauseMs);
    try {
      return ended(once, await runTransaction(pools, upstream, request, { ...once, onEnd: undefined }));
    } catch (next) {
      failure = next;
    }
  }
  throw endedBy(once, failure);
}

/** A server that keeps its `statement_timeout` answers before this; one that has gone silent keeps nobody longer than needed. */
function defaultDeadlineMs({ statementTimeoutMs }: TransactionRequest, nowMs: number): number {
  // Twice: a function that is called before the main statement has the same time of its own.
  const expectedMs =
    statementTimeoutMs === undefined ? MAX_DEADLINE_MS : DEADLINE_GRACE_MS + 2 * statementTimeoutMs;
  return nowMs + Math.min(MAX_DEADLINE_MS, expectedMs);
}

/** The server or the pooler in front of it went away, as opposed to refusing what was sent. */
function isConnectionLost(error: unknown): boolean {
  if (error instanceof DatabaseError) {
    // PgBouncer's timeouts come as FATAL too: the server has no room, and asking again would make it less.
    return error.severity === 'FATAL' && LOST_STATES.has(error.code ?? '') && !/timeout/.test(error.message);
  }
  return error instanceof GatewayError && error.code === 'PGRST001';
}

/** Gives back the connection of what has ended. */
export function finishRunning(pools: PoolCache, pool: Pool, running: RunningTransaction): void {
  pools.running.finish(running);
  if (running.stopReason === undefined) pool.release(running.connection);
  // The answer need not wait for the connection to come to rest after a cancel.
  else void releaseAfterCancel(pool, running);
}

/** What is run, and how: see `runTransaction`. */
interface Attempts extends Pick<RunOptions, 'onFailedStatement'> {
  readonly request: TransactionRequest;
  /** Default: as the upstream allows. */
  readonly isNamed?: boolean | undefined;
  readonly sink?: RowSink | undefined;
}

/** One batch under way, and all that a next one needs to know. */
interface Attempt {
  readonly roleSwitch: RoleSwitch;
  readonly pool: Pool;
  readonly running: RunningTransaction;
  readonly wanted: Attempts;
  readonly count: number;
  readonly isNamed: boolean;
  readonly plan: BatchPlan;
  readonly batch: Batch;
}

/** What an attempt begins with unless it is the first. */
interface Beginning {
  readonly count: number;
  readonly start: TransactionStart;
  readonly isNamed: boolean;
}

/** Runs a transaction, and again what could not begin. */
export async function runAttempts(
  roleSwitch: RoleSwitch,
  pool: Pool,
  running: RunningTransaction,
  wanted: Attempts,
): Promise<readonly StatementResult[]> {
  return await resultsOf(startAttempt(roleSwitch, pool, running, wanted));
}

async function resultsOf(attempt: Attempt): Promise<readonly StatementResult[]> {
  try {
    return wantedResults(attempt.plan, await attempt.batch.result);
  } catch (raised) {
    return await afterFailure(attempt, raised);
  }
}

function startAttempt(
  roleSwitch: RoleSwitch,
  pool: Pool,
  running: RunningTransaction,
  wanted: Attempts,
  beginning?: Beginning,
): Attempt {
  const { connection } = running;
  const isNamed = beginning?.isNamed ?? wanted.isNamed ?? pool.naming.useNames();
  const session = isNamed ? connection.sessionPrepared : undefined;
  const plan = roleSwitch.planBatch(wanted.request, beginning?.start ?? 'implicit', session);
  const batch = connection.submit(plan, isNamed, wanted.sink);
  return { roleSwitch, pool, running, wanted, count: beginning?.count ?? 1, isNamed, plan, batch };
}

function wantedResults(plan: BatchPlan, results: readonly StatementResult[]): readonly StatementResult[] {
  return unwrapped(plan, results.length === plan.wantedCount ? results : results.slice(0, plan.wantedCount));
}

/** What an attempt that failed has committed all the same, or what the next one gives. @throws what the request is told */
async function afterFailure(attempt: Attempt, raised: unknown): Promise<readonly StatementResult[]> {
  const { roleSwitch, pool, running, wanted, count, isNamed, plan, batch } = attempt;
  const { connection } = running;
  connection.forgetUnconfirmed(batch);
  if (plan.committedAt !== undefined && batch.failedStatement >= plan.committedAt) {
    return unwrapped(plan, batch.completedResults);
  }
  await rollBack(connection);
  const error =
    plan.wrapping === undefined ? raised : await unwrapFailure(raised, plan.wrapping, { batch, connection });
  const failure = classifyFailure(error, batch, plan);
  if (failure === 'final' || count === MAX_ATTEMPTS || running.stopReason !== undefined) {
    const index = failedIndex(plan, batch.failedStatement);
    if (index !== undefined) wanted.onFailedStatement?.(index);
    throw error;
  }
  const next = { count: count + 1, start: plan.start, isNamed };
  if (failure === 'unexpected-start') {
    const explicit: Beginning = { ...next, start: 'explicit' };
    return await resultsOf(startAttempt(roleSwitch, pool, running, wanted, explicit));
  }
  if (!isNamed) throw error;
  connection.forgetPrepared();
  pool.naming.recordLoss();
  // Behind a PgBouncer that believes the server still has a text, only an unnamed statement is sure to be parsed.
  return await resultsOf(startAttempt(roleSwitch, pool, running, wanted, { ...next, isNamed: false }));
}

/**
 * Runs a transaction that commits before the batch ends, and asks in the same batch where the log has got to since. Once the
 * COMMIT is confirmed nothing can make the request fail, or be run again.
 */
async function runAndLocate(
  roleSwitch: RoleSwitch,
  pool: Pool,
  running: RunningTransaction,
  attempts: Attempts,
): Promise<ResultSet> {
  const all = await runAttempts(locating(roleSwitch), pool, running, attempts);
  const results = all.slice(0, attempts.request.statements.length);
  const last = all.at(-1);
  // After a COMMIT that was confirmed and a question that failed, the COMMIT is the last.
  return {
    results,
    commitLsn: last?.commandTag === 'SELECT 1' ? (last.rows[0]?.[0] ?? undefined) : undefined,
  };
}

/** Adds the question to explicit transactions; the result of their COMMIT is one more that is wanted. */
function locating(roleSwitch: RoleSwitch): RoleSwitch {
  return {
    kind: roleSwitch.kind,
    planBatch(request, _start, session) {
      const plan = roleSwitch.planBatch(request, 'explicit', session);
      const { wrapping, wantedCount } = plan;
      return {
        ...plan,
        wrapping: wrapping && {
          ...wrapping,
          unwrap: (results) => [
            ...wrapping.unwrap(results.slice(0, wantedCount)),
            ...results.slice(wantedCount),
          ],
        },
        statements: [...plan.statements, COMMIT_LSN],
        wantedCount: plan.statements.length + 1 - plan.firstWanted,
        committedAt: plan.statements.length,
      };
    },
  };
}

function unwrapped({ wrapping }: BatchPlan, results: readonly StatementResult[]): readonly StatementResult[] {
  return wrapping === undefined ? results : wrapping.unwrap(results);
}

/** Index of the request's statement that failed. */
function failedIndex({ wrapping, firstWanted, wantedCount }: BatchPlan, failed: number): number | undefined {
  if (wrapping !== undefined) return wrapping.statementAt(failed);
  const index = failed - firstWanted;
  return index >= 0 && index < wantedCount ? index : undefined;
}

async function unwrapFailure(
  raised: unknown,
  wrapping: BatchWrapping,
  { batch, connection }: { readonly batch: Batch; readonly connection: Connection },
): Promise<unknown> {
  if (connection.isOpen) {
    try {
      // Unnamed: names may be what was lost.
      await connection.submit(housekeeping(wrapping.tidy.text), false).result;
    } catch {
      // Only a cancel or a broken connection can stop it, and both close the connection.
      connection.destroy();
    }
  }
  return wrapping.unwrapError(raised, batch.failedStatement);
}

/** An explicit transaction that failed is still open. */
async function rollBack(connection: Connection): Promise<void> {
  if (!connection.isOpen || connection.transactionStatus === 'I') return;
  try {
    await connection.submit(ROLLBACK, false).result;
  } catch {
    // The status stays as it is, and the pool closes what is not at rest.
  }
}

/**
 * A cancel that came too late would hit whoever uses the connection next. So it is kept until the server has dealt with the request to
 * cancel, and a probe has shown that no signal is pending; when that cannot be known, the connection is closed.
 */
async function releaseAfterCancel(pool: Pool, { connection, cancelled }: RunningTransaction): Promise<void> {
  const wasDelivered = await cancelled;
  if (wasDelivered !== true) connection.destroy();
  else if (connection.isOpen) {
    try {
      await connection.submit(PROBE, false).result;
    } catch {
      // A late cancel has hit the probe, where it does no harm; a broken socket is seen by the pool.
    }
  }
  pool.release(connection);
}

/** Texts of socket errors hold addresses: they stay in the cause. */
export function asFailure(error: unknown): unknown {
  if (error instanceof DatabaseError || error instanceof GatewayError || error instanceof RangeError)
    return error;
  return new GatewayError('PGRST001', { cause: error });
}

/** A batch of one statement without results. */
function housekeeping(text: string): BatchStatements {
  return { statements: [{ text, values: [] }], firstWanted: 1, role: '' };
}
