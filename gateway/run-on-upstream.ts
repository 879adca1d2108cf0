import { GatewayError } from './errors/gateway-error.ts';
import type { Abortable } from './execute/abortable.ts';
import { InFlightLimit } from './execute/in-flight-limit.ts';
import type { PoolCache } from './execute/pool-cache.ts';
import { runTransaction } from './execute/run-transaction.ts';
import { StreamLimit } from './execute/stream-limit.ts';
import { type LineStream, streamTransaction } from './execute/stream-transaction.ts';
import type { RequestTrace } from './http/request-trace.ts';
import type { Observe } from './platform/observation.ts';
import type { ResultSet } from './platform/result-set.ts';
import type { TransactionRequest } from './query/transaction-request.ts';
import type { Tenant } from './registry/tenant.ts';
import { chooseUpstream } from './routing/choose-upstream.ts';
import type { CircuitBreaker } from './routing/circuit-breaker.ts';
import type { Topology } from './routing/topology.ts';
import type { Upstream } from './routing/upstream.ts';

/** Runs a tenant's transaction where it belongs. */
export type RunOnUpstream = (
  tenant: Tenant,
  request: TransactionRequest,
  options: RunOnUpstreamOptions,
) => Promise<ResultSet>;

export interface RunOnUpstreamOptions {
  readonly signal: Abortable;
  readonly trace: RequestTrace;
  /** As `RunOptions.onFailedStatement`. */
  readonly onFailedStatement?: ((index: number) => void) | undefined;
}

/** Starts a tenant's transaction where it belongs, whose rows are sent as they come. */
export type StreamOnUpstream = (
  tenant: Tenant,
  request: TransactionRequest,
  options: Pick<RunOnUpstreamOptions, 'signal' | 'trace'> & {
    /** Index of the statement whose rows are wanted. */
    readonly statement: number;
  },
) => Promise<LineStream>;

interface OnUpstream {
  readonly runTransaction: RunOnUpstream;
  readonly streamTransaction: StreamOnUpstream;
}

/**
 * Makes the stages `chooseUpstream → runTransaction`. A replica that cannot be connected to gets no reads for a while, and the
 * transaction, of which nothing has happened yet, runs on the primary instead.
 */
export function createRunOnUpstream(options: {
  readonly pools: PoolCache;
  readonly topology: Topology;
  readonly breaker: CircuitBreaker;
  readonly streamStallTimeoutMs: number;
  readonly observe: Observe;
}): OnUpstream {
  const { pools, topology, breaker, streamStallTimeoutMs: stallTimeoutMs, observe } = options;
  const inFlight = new InFlightLimit();
  const streams = new StreamLimit();
  const attempt = async <T>(upstream: Upstream, work: (upstream: Upstream) => Promise<T>): Promise<T> => {
    breaker.admit(upstream);
    try {
      const result = await work(upstream);
      breaker.settle(upstream);
      return result;
    } catch (error) {
      breaker.settle(upstream, error);
      throw error;
    }
  };
  const onUpstream = async <T>(
    tenant: Tenant,
    request: TransactionRequest,
    { trace, work }: { readonly trace: RequestTrace; readonly work: (upstream: Upstream) => Promise<T> },
  ): Promise<T> => {
    const upstream = chooseUpstream(tenant, request.accessMode, topology);
    trace.upstream = upstream.name;
    try {
      return await attempt(upstream, work);
    } catch (cause) {
      if (!isConnectFailure(cause)) throw cause;
      observe({ kind: 'upstream-failed', tenantId: tenant.id, upstream: upstream.name, cause });
      const other = withoutReplica(upstream, tenant, request, topology);
      if (other === undefined) throw cause;
      trace.upstream = other.name;
      return await attempt(other, work);
    }
  };
  return {
    runTransaction: (tenant, request, { trace, ...running }) =>
      inFlight.run(tenant, () =>
        onUpstream(tenant, request, {
          trace,
          work: (upstream) => runTransaction(pools, upstream, request, running),
        }),
      ),
    async streamTransaction(tenant, request, { trace, ...streaming }) {
      const leave = inFlight.enter(tenant);
      try {
        const stream = await onUpstream(tenant, request, {
          trace,
          work: (upstream) =>
            streams.run(upstream.key, pools.maxStreams(upstream), () =>
              streamTransaction(pools, upstream, request, { ...streaming, stallTimeoutMs }),
            ),
        });
        void stream.ended.then(leave);
        return stream;
      } catch (error) {
        leave();
        throw error;
      }
    },
  };
}

function withoutReplica(
  failed: Upstream,
  tenant: Tenant,
  request: TransactionRequest,
  topology: Topology,
): Upstream | undefined {
  if (failed.role !== 'replica') return undefined;
  topology.health.recordFailure(failed.key);
  const other = chooseUpstream(tenant, request.accessMode, topology);
  return other.key === failed.key ? undefined : other;
}

/** These are raised before anything was sent. */
const CONNECT_FAILURES: ReadonlySet<string> = new Set(['PGRST000', 'GW203', 'GW204']);

function isConnectFailure(error: unknown): boolean {
  return error instanceof GatewayError && CONNECT_FAILURES.has(error.code);
}
