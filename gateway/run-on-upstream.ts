import { GatewayError } from './errors/gateway-error.ts';
import type { Abortable } from './execute/abortable.ts';
import { InFlightLimit } from './execute/in-flight-limit.ts';
import type { PoolCache } from './execute/pool-cache.ts';
import { runTransaction } from './execute/run-transaction.ts';
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
}

/**
 * Makes the stages `chooseUpstream → runTransaction`. A replica that cannot be connected to gets no reads for a while, and the
 * transaction, of which nothing has happened yet, runs on the primary instead.
 */
export function createRunOnUpstream(options: {
  readonly pools: PoolCache;
  readonly topology: Topology;
  readonly breaker: CircuitBreaker;
  readonly observe: Observe;
}): RunOnUpstream {
  const { pools, topology, breaker, observe } = options;
  const inFlight = new InFlightLimit();
  const attempt = async (upstream: Upstream, request: TransactionRequest, signal: Abortable) => {
    breaker.admit(upstream);
    try {
      const resultSet = await runTransaction(pools, upstream, request, { signal });
      breaker.settle(upstream);
      return resultSet;
    } catch (error) {
      breaker.settle(upstream, error);
      throw error;
    }
  };
  const run: RunOnUpstream = async (tenant, request, { signal, trace }) => {
    const upstream = chooseUpstream(tenant, request.accessMode, topology);
    trace.upstream = upstream.name;
    try {
      return await attempt(upstream, request, signal);
    } catch (cause) {
      if (!isConnectFailure(cause)) throw cause;
      observe({ kind: 'upstream-failed', tenantId: tenant.id, upstream: upstream.name, cause });
      const other = withoutReplica(upstream, tenant, request, topology);
      if (other === undefined) throw cause;
      trace.upstream = other.name;
      return await attempt(other, request, signal);
    }
  };
  return (tenant, request, running) => inFlight.run(tenant, () => run(tenant, request, running));
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
