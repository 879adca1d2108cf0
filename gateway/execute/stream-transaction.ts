import type { GatewayError } from '../errors/gateway-error.ts';
import type { TransactionRequest } from '../query/transaction-request.ts';
import type { Upstream } from '../routing/upstream.ts';
import type { Abortable } from './abortable.ts';
import { type LineHead, LineQueue } from './line-queue.ts';
import type { PoolCache } from './pool-cache.ts';
import { asFailure, finishRunning, MAX_DEADLINE_MS, runAttempts } from './run-transaction.ts';
import type { RunningTransaction } from './running-transactions.ts';

export interface StreamOptions {
  /** Index of the statement whose rows are wanted one by one: the first field of each is a line. */
  readonly statement: number;
  /** How long the reader may take to come back for more. */
  readonly stallTimeoutMs: number;
  readonly signal: Abortable;
  /** As `RunOptions.owner` and `.maxQueue`. */
  readonly owner?: string | undefined;
  readonly maxQueue?: number | undefined;
}

/** The lines of a transaction under way. It holds a connection until `ended`. */
export interface LineStream extends LineHead {
  readonly rowCount: number;
  /** The next lines; `undefined` at the end, when the transaction has been committed. One call at a time. */
  read(): Promise<Buffer | undefined>;
  /** Nobody reads on: the transaction is cancelled and undone. After the end it does nothing. */
  cancel(): void;
  /** Calls back when the transaction is stopped from here (`GW202`, `GW320`, `GW902`), which a reader that does not read would not notice. */
  onStop(listener: (reason: GatewayError) => void): void;
  /** Resolves, in any case, when the connection was given back. */
  readonly ended: Promise<void>;
}

/**
 * Runs a transaction as `runTransaction` does, but gives the rows of one statement while they come, at the pace at which they are read. Until the first row
 * (or the end) nothing is given, so that what fails by then can still be answered properly.
 *
 * The deadline of `runTransaction` holds for each wait for the database. What it costs a client to be slow is GW320.
 *
 * @throws as `runTransaction`; so does `read`, for what fails later
 */
export async function streamTransaction(
  pools: PoolCache,
  upstream: Upstream,
  request: TransactionRequest,
  { statement, stallTimeoutMs, signal, owner = '', maxQueue }: StreamOptions,
): Promise<LineStream> {
  const lease = pools.lease(upstream);
  let running: RunningTransaction;
  let isCancelled = false;
  const client: Abortable = {
    get aborted() {
      return isCancelled || signal.aborted;
    },
    get isServerGone() {
      return signal.isServerGone === true;
    },
  };
  const deadlineMs = Date.now() + MAX_DEADLINE_MS;
  try {
    const { pool } = lease;
    const connection =
      pool.tryAcquire(owner, request.role) ??
      (await pool.acquire({
        owner,
        maxQueue,
        timeoutMs: pools.acquireTimeoutMs(deadlineMs),
        signal: client,
      }));
    running = pools.running.start(connection, client, deadlineMs);
  } catch (error) {
    lease.release();
    throw error;
  }
  const queue = new LineQueue(statement, running.connection, {
    onReader() {
      running.deadlineMs = Date.now() + stallTimeoutMs;
      running.deadlineCode = 'GW320';
    },
    onSource() {
      running.deadlineMs = Date.now() + MAX_DEADLINE_MS;
      running.deadlineCode = 'GW202';
    },
  });
  const stopped = Promise.withResolvers<GatewayError>();
  running.onStop = (reason) => {
    queue.discard();
    stopped.resolve(reason);
  };
  const { pool } = lease;
  const run = async (): Promise<void> => {
    try {
      // Unnamed: a name that the server has lost shows too late to begin anew, and to parse once more costs nothing here.
      const results = await runAttempts(pools.roleSwitchFor(upstream), pool, running, {
        request,
        isNamed: false,
        sink: queue,
      });
      queue.finish(results);
    } catch (error) {
      queue.finish([], running.stopReason ?? asFailure(error));
    } finally {
      finishRunning(pools, pool, running);
      lease.release();
    }
  };
  const ended = run();
  const head = await queue.head;
  return {
    ...head,
    get rowCount() {
      return queue.rowCount;
    },
    read: () => queue.read(),
    cancel() {
      isCancelled = true;
    },
    onStop: (listener) => void stopped.promise.then(listener),
    ended,
  };
}
