import { InFlightLimit } from './execute/in-flight-limit.ts';
import type { ResultSet } from './platform/result-set.ts';
import type { TransactionRequest } from './query/transaction-request.ts';
import type { Tenant } from './registry/tenant.ts';
import { chooseUpstream } from './routing/choose-upstream.ts';
import { type RunOnUpstreamOptions, runOnPrimary } from './run-on-primary.ts';
import { type ReplicaServices, runOnReplicas } from './run-on-replicas.ts';

/** Runs a tenant's transaction where it belongs. */
export type RunOnUpstream = (
  tenant: Tenant,
  request: TransactionRequest,
  options: RunOnUpstreamOptions,
) => Promise<ResultSet>;

/** Makes the stages `chooseUpstream → runTransaction`. */
export function createRunOnUpstream(services: ReplicaServices): RunOnUpstream {
  const { topology } = services;
  const inFlight = new InFlightLimit();
  const run: RunOnUpstream = (tenant, request, running) => {
    const primary = chooseUpstream(tenant, request.accessMode, topology);
    const { replicas } = topology.upstreamsOf(tenant);
    return replicas === undefined
      ? runOnPrimary(services, primary, { tenant, request, running })
      : runOnReplicas(services, { tenant, request, running, replicas });
  };
  return (tenant, request, running) =>
    inFlight.run(tenant, running.signal, () => run(tenant, request, running));
}
