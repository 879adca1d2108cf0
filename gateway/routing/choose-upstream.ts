import { GatewayError } from '../errors/gateway-error.ts';
import type { AccessMode } from '../plan/transaction-plan.ts';
import type { Tenant } from '../registry/tenant.ts';
import type { Topology } from './topology.ts';
import type { Upstream } from './upstream.ts';

/**
 * Picks the upstream for a transaction: a healthy replica for `read only` where the tenant has one, else the primary.
 *
 * @throws {GatewayError} GW201 for a tenant in sealed isolation, which this version cannot serve
 */
export function chooseUpstream(tenant: Tenant, accessMode: AccessMode, topology: Topology): Upstream {
  if (tenant.placement.kind === 'shared' && tenant.isolation === 'sealed') {
    throw new GatewayError('GW201', {
      message: 'Sealed isolation is not available for this project yet',
      hint: 'Set the isolation of the project to "trusted", or give it a database of its own.',
    });
  }
  const { primary, replica } = topology.upstreamsOf(tenant);
  if (accessMode === 'read only' && replica !== undefined && topology.health.isHealthy(replica.key)) {
    return replica;
  }
  return primary;
}
