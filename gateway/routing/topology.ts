import { LRUCache } from 'lru-cache';
import type { GatewayConfig } from '../platform/config.ts';
import {
  databaseName,
  LOGINS,
  localDatabaseUrl,
  loginPassword,
  loginUrl,
  SHARED_DATABASE,
  sharedUrl,
  tenantLogin,
} from '../platform/derived-logins.ts';
import { executorToken } from '../platform/executors.ts';
import type { Secret } from '../registry/secrets.ts';
import type { Isolation, Tenant } from '../registry/tenant.ts';
import { ReplicaGroup, ReplicaServer } from './replica-group.ts';
import type { Upstream } from './upstream.ts';

/** The replicas one tenant's reads can run on. */
export interface TenantReplicas {
  readonly group: ReplicaGroup;
  /** One for each of `group.servers`, with the tenant's own login and database. */
  readonly upstreams: readonly Upstream[];
}

/** The places one tenant's transactions can run. */
export interface TenantUpstreams {
  readonly primary: Upstream;
  readonly replicas: TenantReplicas | undefined;
}

/** Everything `chooseUpstream` chooses from. */
export interface Topology {
  upstreamsOf(tenant: Tenant): TenantUpstreams;
}

/** The parts of the configuration that say where local databases are. */
export type TopologyConfig = Pick<
  GatewayConfig,
  'masterKey' | 'controlDatabaseUrl' | 'pgbouncerUrl' | 'sharedDatabase'
> &
  Partial<Pick<GatewayConfig, 'readReplicaUrls' | 'keptAfterUses'>>;

/** Tenants with replicas of their own whose state is kept. */
const MAX_GROUPS = 1_000;

/**
 * Builds the map of upstreams from the configuration. Passwords of local logins follow from the master key, so nothing is read from
 * anywhere else; what follows from a tenant is computed once per tenant object.
 */
export function buildTopology(config: TopologyConfig): Topology {
  const local = localReplicas(config);
  const shared: Readonly<Record<Isolation, TenantUpstreams>> = {
    sealed: sharedUpstreams('sealed', config, local),
    trusted: sharedUpstreams('trusted', config, local),
  };
  const known = new WeakMap<Tenant, TenantUpstreams>();
  // A tenant is read again every minute; what is known of its replicas must outlive that.
  const groups = new LRUCache<string, ReplicaGroup>({ max: MAX_GROUPS });
  return {
    upstreamsOf(tenant) {
      if (tenant.placement.kind === 'shared') return shared[tenant.isolation];
      let upstreams = known.get(tenant);
      if (upstreams === undefined) {
        upstreams = ownUpstreams(tenant, { config, local, groups });
        known.set(tenant, upstreams);
      }
      return upstreams;
    },
  };
}

/** Each isolation has a login of its own, hence pools of its own. */
function sharedUpstreams(
  isolation: Isolation,
  config: TopologyConfig,
  local: ReplicaGroup | undefined,
): TenantUpstreams {
  const primary = sharedPrimary(isolation, config);
  const upstreams = sharedReplicas(isolation, config);
  return { primary, replicas: local && { group: local, upstreams } };
}

function sharedPrimary(isolation: Isolation, config: TopologyConfig): Upstream {
  const name = isolation === 'sealed' ? 'shared' : 'shared-trusted';
  // PgBouncer hands each transaction another session.
  const keepsSession = config.pgbouncerUrl === undefined;
  const place = { name, key: name, role: 'primary', pooling: 'shared', keepsSession } as const;
  const connectionString = sharedUrl(config, LOGINS[isolation]);
  if (isolation === 'trusted') return { ...place, connectionString };
  const executors = {
    tokenFor: (role: string) => executorToken(config.masterKey, role).reveal(),
    keepsSession,
    keptAfterUses: config.keptAfterUses,
  };
  return { ...place, connectionString, executors };
}

function sharedReplicas(isolation: Isolation, config: TopologyConfig): readonly Upstream[] {
  const primary = sharedPrimary(isolation, config);
  return (config.readReplicaUrls ?? []).map((url, index) => {
    const name = `${primary.name}-replica${ordinal(index)}`;
    const place = { login: LOGINS[isolation], database: databaseName(url) ?? SHARED_DATABASE };
    return { ...primary, name, key: name, role: 'replica', connectionString: ofLogin(config, url, place) };
  });
}

/** Streaming replicas of the local cluster hold every local database: they serve `shared` and `database` tenants alike. */
function localReplicas(config: TopologyConfig): ReplicaGroup | undefined {
  // Where the log is does not depend on who asks.
  const servers = sharedReplicas('trusted', config).map((upstream) => new ReplicaServer(upstream));
  return servers.length === 0
    ? undefined
    : new ReplicaGroup('local', sharedPrimary('trusted', config), servers);
}

interface OwnContext {
  readonly config: TopologyConfig;
  readonly local: ReplicaGroup | undefined;
  readonly groups: LRUCache<string, ReplicaGroup>;
}

function ownUpstreams(tenant: Tenant, context: OwnContext): TenantUpstreams {
  const { placement } = tenant;
  if (placement.kind === 'shared') throw new TypeError('a shared tenant has no upstream of its own');
  const { config, local } = context;
  const login = tenantLogin(tenant.id);
  const primary: Upstream =
    placement.kind === 'remote'
      ? {
          ...leased(tenant, placement.kind, 'primary', placement.remoteConnectionString),
          foreign: { caCertificate: placement.caCertificate },
        }
      : leased(
          tenant,
          placement.kind,
          'primary',
          localDatabaseUrl(config, { login, database: placement.databaseName }),
        );
  const urls = placement.readReplicaUrls;
  if (urls.length > 0) return { primary, replicas: ownReplicas(tenant, primary, context) };
  if (placement.kind === 'remote' || local === undefined) return { primary, replicas: undefined };
  const database = placement.databaseName;
  const upstreams = (config.readReplicaUrls ?? []).map((url, index) =>
    leased(tenant, `database-replica${ordinal(index)}`, 'replica', ofLogin(config, url, { login, database })),
  );
  return { primary, replicas: { group: local, upstreams } };
}

function ownReplicas(tenant: Tenant, primary: Upstream, { groups }: OwnContext): TenantReplicas {
  const { placement } = tenant;
  if (placement.kind === 'shared') throw new TypeError('a shared tenant has no replicas of its own');
  const foreign = { caCertificate: placement.caCertificate };
  const upstreams = placement.readReplicaUrls.map((url, index) => ({
    ...leased(tenant, `${placement.kind}-replica${ordinal(index)}`, 'replica', url),
    foreign,
  }));
  // The epoch in the key grows with every change of the placement.
  let group = groups.get(primary.key);
  if (group === undefined) {
    const servers = upstreams.map((upstream) => new ReplicaServer(upstream));
    group = new ReplicaGroup(primary.key, primary, servers);
    groups.set(primary.key, group);
  }
  return { group, upstreams };
}

/** `-2`, `-3` … for all but the first. */
function ordinal(index: number): string {
  return index === 0 ? '' : `-${index + 1}`;
}

function ofLogin(
  { masterKey }: TopologyConfig,
  url: Secret,
  { login, database }: { login: string; database: string },
): Secret {
  return loginUrl(url, { login, password: loginPassword(masterKey, login), database });
}

function leased(tenant: Tenant, kind: string, role: Upstream['role'], connectionString: Secret): Upstream {
  const name = `${kind}:${tenant.id}`;
  return { name, key: `${name}@${tenant.epoch}`, role, connectionString, pooling: 'leased' };
}
