import type { AccessMode } from '../plan/transaction-plan.ts';
import type { Tenant } from '../registry/tenant.ts';
import type { Topology } from './topology.ts';
import type { Upstream } from './upstream.ts';

/** Picks the upstream for a transaction: a healthy replica for `read only` where the tenant has one, else the primary. */
export function chooseUpstream(tenant: Tenant, accessMode: AccessMode, topology: Topology): Upstream {
  const { primary, replica } = topology.upstreamsOf(tenant);
  if (accessMode === 'read only' && replica !== undefined && topology.health.isHealthy(replica.key)) {
    return replica;
  }
  return primary;
}
