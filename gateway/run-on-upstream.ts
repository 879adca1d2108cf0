import type { Abortable } from './execute/abortable.ts';
import { InFlightLimit } from './execute/in-flight-limit.ts';
import { runTransaction } from './execute/run-transaction.ts';
import { StreamLimit } from './execute/stream-limit.ts';
import { type LineStream, streamTransaction } from './execute/stream-transaction.ts';
import type { RequestTrace } from './http/request-trace.ts';
import type { ResultSet } from './platform/result-set.ts';
import type { TransactionRequest } from './query/transaction-request.ts';
import type { Tenant } from './registry/tenant.ts';
import { parseConsistency } from './routing/consistency.ts';
import { type Run, runOnPrimary } from './run-on-primary.ts';
import { type Ending, type ReplicaServices, runOnReplicas } from './run-on-replicas.ts';

/** Runs a tenant's transaction where it belongs. */
export type RunOnUpstream = (
  tenant: Tenant,
  request: TransactionRequest,
  options: RunOnUpstreamOptions,
) => Promise<ResultSet>;

export interface RunOnUpstreamOptions {
  readonly signal: Abortable;
  readonly trace: RequestTrace;
  /** The request's `X-Cascata-Consistency`. */
  readonly consistency: string | undefined;
  /** As `RunOptions.onFailedStatement`. */
  readonly onFailedStatement?: ((index: number) => void) | undefined;
}

/** Starts a tenant's transaction where it belongs, whose rows are sent as they come. */
export type StreamOnUpstream = (
  tenant: Tenant,
  request: TransactionRequest,
  options: Omit<RunOnUpstreamOptions, 'onFailedStatement'> & {
    /** Index of the statement whose rows are wanted. */
    readonly statement: number;
  },
) => Promise<LineStream>;

export interface OnUpstream {
  readonly runTransaction: RunOnUpstream;
  readonly streamTransaction: StreamOnUpstream;
}

/** Makes the stages `chooseUpstream → runTransaction`. */
export function createRunOnUpstream(
  services: ReplicaServices & { readonly streamStallTimeoutMs: number },
): OnUpstream {
  const { pools, topology, streamStallTimeoutMs: stallTimeoutMs } = services;
  const inFlight = new InFlightLimit();
  const streams = new StreamLimit();
  const run = <T extends Ending>(transaction: Run<T>): Promise<T> => {
    const { primary, replicas } = topology.upstreamsOf(transaction.tenant);
    if (replicas !== undefined) return runOnReplicas(services, { ...transaction, replicas });
    // Nonsense is told before there are replicas as well. A rejection, as all else that is said of a transaction.
    if (transaction.consistency === undefined) return runOnPrimary(services, primary, transaction);
    return checked(transaction.consistency).then(() => runOnPrimary(services, primary, transaction));
  };
  const runWhole: Run<ResultSet>['work'] = (request, upstream, options) =>
    runTransaction(pools, upstream, request, options);
  return {
    runTransaction(tenant, request, { trace, consistency, signal, onFailedStatement }) {
      const { id: owner, limits } = tenant;
      const options = { signal, onFailedStatement, owner, maxQueue: limits.maxQueue };
      const transaction = { tenant, request, trace, consistency, options, work: runWhole };
      // Without a function around it, which most requests have no use for.
      if (limits.maxInFlight === undefined) return run(transaction);
      return inFlight.run(tenant, signal, () => run(transaction));
    },
    async streamTransaction(tenant, request, { trace, consistency, signal, statement }) {
      const options = { signal, owner: tenant.id, maxQueue: tenant.limits.maxQueue };
      const work: Run<LineStream>['work'] = async (_request, upstream, wishes) => {
        const { owner, maxQueue, signal: reader = signal, onEnd } = wishes;
        const how = { statement, stallTimeoutMs, signal: reader, owner, maxQueue };
        const start = () => streamTransaction(pools, upstream, request, how);
        try {
          const stream = await streams.run(upstream.key, pools.maxStreams(upstream), start);
          onEnd?.();
          return stream;
        } catch (error) {
          onEnd?.(error);
          throw error;
        }
      };
      const leave = await inFlight.enter(tenant, signal);
      try {
        const stream = await run({ tenant, request, trace, consistency, options, work });
        void stream.ended.then(leave);
        return stream;
      } catch (error) {
        leave();
        throw error;
      }
    },
  };
}

async function checked(consistency: string): Promise<void> {
  parseConsistency(consistency);
}
