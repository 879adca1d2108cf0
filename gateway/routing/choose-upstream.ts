import type { AccessMode } from '../plan/transaction-plan.ts';
import type { Tenant } from '../registry/tenant.ts';
import type { ReadNeeds } from './replica-group.ts';
import type { Topology } from './topology.ts';
import type { Upstream } from './upstream.ts';

/**
 * Picks the upstream for a transaction: for `read only` the healthy replica with the fewest reads in flight whose lag is within the
 * bound and that has replayed what the caller wrote, else the primary.
 *
 * @param needs what a read asks of a replica; without it the primary answers
 */
export function chooseUpstream(
  tenant: Tenant,
  accessMode: AccessMode,
  topology: Topology,
  needs?: ReadNeeds,
): Upstream {
  const { primary, replicas } = topology.upstreamsOf(tenant);
  if (replicas === undefined || needs === undefined) return primary;
  if (accessMode !== 'read only' || needs.maxLagMs === 0) return primary;
  replicas.group.noteUse(needs);
  const index = replicas.group.choose(needs);
  return index === undefined ? primary : replicas.upstreams[index]!;
}
