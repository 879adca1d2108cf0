import type { GatewayConfig } from '../platform/config.ts';
import { LOGINS, localDatabaseUrl, sharedUrl, tenantLogin } from '../platform/derived-logins.ts';
import { executorToken } from '../platform/executors.ts';
import type { Secret } from '../registry/secrets.ts';
import type { Isolation, Tenant } from '../registry/tenant.ts';
import { ReplicaHealth } from './replica-health.ts';
import type { Upstream } from './upstream.ts';

/** The places one tenant's transactions can run. */
export interface TenantUpstreams {
  readonly primary: Upstream;
  readonly replica: Upstream | undefined;
}

/** Everything `chooseUpstream` chooses from. */
export interface Topology {
  readonly health: ReplicaHealth;
  upstreamsOf(tenant: Tenant): TenantUpstreams;
}

/** The parts of the configuration that say where local databases are. */
export type TopologyConfig = Pick<
  GatewayConfig,
  'masterKey' | 'controlDatabaseUrl' | 'pgbouncerUrl' | 'sharedDatabase'
>;

/**
 * Builds the map of upstreams from the configuration. Passwords of local logins follow from the master key, so nothing is read from
 * anywhere else; what follows from a tenant is computed once per tenant object.
 */
export function buildTopology(config: TopologyConfig): Topology {
  const shared: Readonly<Record<Isolation, TenantUpstreams>> = {
    sealed: {
      primary: {
        name: 'shared',
        key: 'shared',
        role: 'primary',
        connectionString: sharedUrl(config, LOGINS.sealed),
        pooling: 'shared',
        executors: {
          tokenFor: (role) => executorToken(config.masterKey, role).reveal(),
          // PgBouncer hands each transaction another session.
          keepsSession: config.pgbouncerUrl === undefined,
        },
      },
      replica: undefined,
    },
    trusted: {
      primary: {
        name: 'shared-trusted',
        key: 'shared-trusted',
        role: 'primary',
        connectionString: sharedUrl(config, LOGINS.trusted),
        pooling: 'shared',
      },
      replica: undefined,
    },
  };
  const known = new WeakMap<Tenant, TenantUpstreams>();
  return {
    health: new ReplicaHealth(),
    upstreamsOf(tenant) {
      if (tenant.placement.kind === 'shared') return shared[tenant.isolation];
      let upstreams = known.get(tenant);
      if (upstreams === undefined) {
        upstreams = ownUpstreams(tenant, config);
        known.set(tenant, upstreams);
      }
      return upstreams;
    },
  };
}

function ownUpstreams(tenant: Tenant, config: TopologyConfig): TenantUpstreams {
  const { placement } = tenant;
  if (placement.kind === 'shared') throw new TypeError('a shared tenant has no upstream of its own');
  const foreign = { caCertificate: placement.caCertificate };
  const primary =
    placement.kind === 'remote'
      ? { ...leased(tenant, placement.kind, 'primary', placement.remoteConnectionString), foreign }
      : leased(
          tenant,
          placement.kind,
          'primary',
          localDatabaseUrl(config, { login: tenantLogin(tenant.id), database: placement.databaseName }),
        );
  const { readReplicaUrl } = placement;
  return {
    primary,
    replica:
      readReplicaUrl === undefined
        ? undefined
        : { ...leased(tenant, `${placement.kind}-replica`, 'replica', readReplicaUrl), foreign },
  };
}

function leased(tenant: Tenant, kind: string, role: Upstream['role'], connectionString: Secret): Upstream {
  const name = `${kind}:${tenant.id}`;
  return { name, key: `${name}@${tenant.epoch}`, role, connectionString, pooling: 'leased' };
}
