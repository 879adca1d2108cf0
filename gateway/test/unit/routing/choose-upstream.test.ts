import { describe, expect, it } from 'vitest';
import { Secret } from '../../../registry/secrets.ts';
import type { Placement, Tenant, TenantId } from '../../../registry/tenant.ts';
import { chooseUpstream } from '../../../routing/choose-upstream.ts';
import type { ReadNeeds } from '../../../routing/replica-group.ts';
import { buildTopology } from '../../../routing/topology.ts';

const config = {
  masterKey: new Secret('k'.repeat(32)),
  controlDatabaseUrl: new Secret('postgres://admin:pw@db:5432/control'),
  pgbouncerUrl: undefined,
};

function aTenant(placement: Placement, changes: Partial<Tenant> = {}): Tenant {
  return {
    id: 'acme' as TenantId,
    status: 'active',
    hosts: [],
    placement,
    isolation: 'trusted',
    epoch: 3,
    naming: { schemaPrefix: undefined, rolePrefix: undefined },
    jwt: { kind: 'none' },
    requireApiKey: false,
    apiKeys: [],
    limits: { maxInFlight: undefined, statementTimeoutMs: undefined, maxBodyBytes: undefined },
    settings: {} as Tenant['settings'],
    revision: '1',
    ...changes,
  };
}

const remote: Placement = {
  kind: 'remote',
  remoteConnectionString: new Secret('postgres://u:p@far/db'),
  readReplicaUrls: [new Secret('postgres://u:p@replica/db'), new Secret('postgres://u:p@replica2/db')],
};

describe('chooseUpstream', () => {
  it.each([
    ['sealed', 'shared', 'cascata_sealed'],
    ['trusted', 'shared-trusted', 'cascata_trusted'],
  ] as const)('sends every shared tenant that is %s to the one pool %s, as %s', (isolation, name, login) => {
    const topology = buildTopology(config);
    const shared = (changes: Partial<Tenant> = {}) => aTenant({ kind: 'shared' }, { isolation, ...changes });
    const chosen = chooseUpstream(shared(), 'read write', topology);
    expect(chosen).toBe(
      chooseUpstream(shared({ id: 'globex' as TenantId, epoch: 9 }), 'read only', topology),
    );
    expect(chosen).toMatchObject({ name, key: name, role: 'primary', pooling: 'shared' });
    const url = new URL(chosen.connectionString.reveal());
    expect([url.username, url.host, url.pathname]).toEqual([login, 'db:5432', '/cascata_shared']);
  });

  it('gives sealed tenants, and nobody else, executors with a token for each role', () => {
    const topology = buildTopology(config);
    const of = (isolation: Tenant['isolation']) =>
      chooseUpstream(aTenant({ kind: 'shared' }, { isolation }), 'read only', topology).executors;
    expect(of('trusted')).toBeUndefined();
    expect(of('sealed')?.keepsSession).toBe(true);
    const [one, other] = ['acme_anon', 'acme_service_role'].map((role) => of('sealed')?.tokenFor(role));
    expect(one).toMatch(/^[\w-]{43}$/);
    expect(other).not.toBe(one);
    expect(of('sealed')?.tokenFor('acme_anon')).toBe(one);
  });

  it('goes through PgBouncer where there is one', () => {
    const topology = buildTopology({ ...config, pgbouncerUrl: new Secret('postgres://bouncer:6432') });
    const sealed = aTenant({ kind: 'shared' }, { isolation: 'sealed' });
    const { connectionString, executors } = chooseUpstream(sealed, 'read only', topology);
    expect(new URL(connectionString.reveal()).host).toBe('bouncer:6432');
    expect(executors?.keepsSession).toBe(false);
  });

  it('logs in to a database of its own as the tenant', () => {
    const tenant = aTenant({ kind: 'database', databaseName: 'acme_db', readReplicaUrls: [] });
    const chosen = chooseUpstream(tenant, 'read only', buildTopology(config));
    expect(chosen).toMatchObject({ name: 'database:acme', key: 'database:acme@3', pooling: 'leased' });
    const url = new URL(chosen.connectionString.reveal());
    expect([url.username, url.pathname]).toEqual(['acme_login', '/acme_db']);
  });

  it('marks connection strings that came with the tenant, with the authority they are checked by', () => {
    const topology = buildTopology(config);
    const foreignOf = (placement: Placement) => {
      const { primary, replicas } = topology.upstreamsOf(aTenant(placement));
      return [primary.foreign, replicas?.upstreams[0]?.foreign];
    };
    const given = { caCertificate: 'PEM' };
    expect(foreignOf({ ...remote, ...given })).toEqual([given, given]);
    expect(foreignOf(remote)).toEqual([{ caCertificate: undefined }, { caCertificate: undefined }]);
    expect(
      foreignOf({
        kind: 'database',
        databaseName: 'acme_db',
        readReplicaUrls: [new Secret('postgres://u:p@replica/db')],
        ...given,
      }),
    ).toEqual([undefined, given]);
    expect(foreignOf({ kind: 'shared' })).toEqual([undefined, undefined]);
  });

  it('puts the epoch in the key, so that a moved tenant gets another pool', () => {
    const topology = buildTopology(config);
    expect(chooseUpstream(aTenant(remote), 'read write', topology).key).toBe('remote:acme@3');
    expect(chooseUpstream(aTenant(remote, { epoch: 4 }), 'read write', topology).key).toBe('remote:acme@4');
  });

  const floors: ReadNeeds['floors'] = [];
  const needs = (changes: Partial<ReadNeeds> = {}): ReadNeeds => ({
    maxLagMs: 1_000,
    floors,
    nowMs: 5_000,
    ...changes,
  });

  /** A topology whose replicas have replayed all that was committed when it was 4,800. */
  function replayed(changes: Partial<Tenant> = {}) {
    const topology = buildTopology(config);
    const tenant = aTenant(remote, changes);
    const { group } = topology.upstreamsOf(tenant).replicas!;
    group.recordPrimary(100n, 4_800);
    for (const server of group.servers) group.recordReplica(server, 100n);
    const chosen = (mode: 'read only' | 'read write', wanted?: ReadNeeds) =>
      chooseUpstream(tenant, mode, topology, wanted).name;
    return { topology, tenant, group, chosen };
  }

  it('sends only read-only transactions to a replica, and none whose request has no needs', () => {
    const { chosen } = replayed();
    expect(chosen('read only', needs())).toBe('remote-replica:acme');
    expect(chosen('read write', needs())).toBe('remote:acme');
    expect(chosen('read only')).toBe('remote:acme');
  });

  it('takes the replica with the fewest reads in flight', () => {
    const { group, chosen } = replayed();
    group.servers[0]!.inFlight = 2;
    group.servers[1]!.inFlight = 1;
    expect(chosen('read only', needs())).toBe('remote-replica-2:acme');
  });

  it('sends nothing to a replica nobody has asked how far it is', () => {
    const topology = buildTopology(config);
    expect(chooseUpstream(aTenant(remote), 'read only', topology, needs()).name).toBe('remote:acme');
  });

  it('a bound of 0 means the primary only', () => {
    expect(replayed().chosen('read only', needs({ maxLagMs: 0, nowMs: 4_800 }))).toBe('remote:acme');
  });

  it('a replica beyond its lag bound gets no reads', () => {
    const { group, chosen } = replayed();
    expect(chosen('read only', needs({ nowMs: 5_800 }))).toBe('remote-replica:acme');
    expect(chosen('read only', needs({ nowMs: 5_801 }))).toBe('remote:acme');
    group.recordPrimary(200n, 5_700);
    group.recordReplica(group.servers[1]!, 200n);
    expect(chosen('read only', needs({ nowMs: 6_000 }))).toBe('remote-replica-2:acme');
  });

  it('a replica that has not replayed what the caller wrote gets none of its reads', () => {
    const { chosen } = replayed();
    expect(chosen('read only', needs({ floors: [{ lsn: 100n, atMs: 4_900 }] }))).toBe('remote-replica:acme');
    expect(chosen('read only', needs({ floors: [{ lsn: 101n, atMs: 4_900 }] }))).toBe('remote:acme');
  });

  it('a write whose place in the log is not known counts by its time', () => {
    const { chosen } = replayed();
    expect(chosen('read only', needs({ floors: [{ lsn: undefined, atMs: 4_800 }] }))).toBe(
      'remote-replica:acme',
    );
    expect(chosen('read only', needs({ floors: [{ lsn: undefined, atMs: 4_801 }] }))).toBe('remote:acme');
  });

  it('leaves a replica that failed alone for a while, and until it was asked again', () => {
    const { group, chosen } = replayed();
    for (const server of group.servers) server.recordFailure(5_000);
    expect(chosen('read only', needs())).toBe('remote:acme');
    group.recordPrimary(100n, 5_100);
    for (const server of group.servers) group.recordReplica(server, 100n);
    expect(chosen('read only', needs({ nowMs: 5_200 }))).toBe('remote:acme');
    expect(chosen('read only', needs({ nowMs: 7_000, maxLagMs: 2_000 }))).toBe('remote-replica:acme');
  });

  it('what is known of replicas outlives the tenant object, and not a change of placement', () => {
    const { topology, group } = replayed();
    expect(topology.upstreamsOf(aTenant(remote)).replicas?.group).toBe(group);
    expect(topology.upstreamsOf(aTenant(remote, { epoch: 4 })).replicas?.group).not.toBe(group);
  });

  it('local tenants read from the replicas of the local cluster, each with its own login', () => {
    const topology = buildTopology({ ...config, readReplicaUrls: [new Secret('postgres://standby:5433')] });
    const shared = topology.upstreamsOf(aTenant({ kind: 'shared' })).replicas!;
    const own = topology.upstreamsOf(
      aTenant({ kind: 'database', databaseName: 'acme_db', readReplicaUrls: [] }),
    ).replicas!;
    expect(own.group).toBe(shared.group);
    const placeOf = (upstream: { connectionString: Secret } | undefined) => {
      const url = new URL(upstream!.connectionString.reveal());
      return [url.username, url.host, url.pathname];
    };
    expect(placeOf(shared.upstreams[0])).toEqual(['cascata_trusted', 'standby:5433', '/cascata_shared']);
    expect(placeOf(own.upstreams[0])).toEqual(['acme_login', 'standby:5433', '/acme_db']);
    expect(own.upstreams[0]!.name).toBe('database-replica:acme');
  });
});
