import { describe, expect, it } from 'vitest';
import { Secret } from '../../../registry/secrets.ts';
import type { Placement, Tenant, TenantId } from '../../../registry/tenant.ts';
import { chooseUpstream } from '../../../routing/choose-upstream.ts';
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
  readReplicaUrl: new Secret('postgres://u:p@replica/db'),
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
    const tenant = aTenant({ kind: 'database', databaseName: 'acme_db', readReplicaUrl: undefined });
    const chosen = chooseUpstream(tenant, 'read only', buildTopology(config));
    expect(chosen).toMatchObject({ name: 'database:acme', key: 'database:acme@3', pooling: 'leased' });
    const url = new URL(chosen.connectionString.reveal());
    expect([url.username, url.pathname]).toEqual(['acme_login', '/acme_db']);
  });

  it('marks connection strings that came with the tenant, with the authority they are checked by', () => {
    const topology = buildTopology(config);
    const foreignOf = (placement: Placement) => {
      const { primary, replica } = topology.upstreamsOf(aTenant(placement));
      return [primary.foreign, replica?.foreign];
    };
    const given = { caCertificate: 'PEM' };
    expect(foreignOf({ ...remote, ...given })).toEqual([given, given]);
    expect(foreignOf(remote)).toEqual([{ caCertificate: undefined }, { caCertificate: undefined }]);
    expect(
      foreignOf({
        kind: 'database',
        databaseName: 'acme_db',
        readReplicaUrl: new Secret('postgres://u:p@replica/db'),
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

  it('sends only read-only transactions to a replica', () => {
    const topology = buildTopology(config);
    expect(chooseUpstream(aTenant(remote), 'read only', topology).name).toBe('remote-replica:acme');
    expect(chooseUpstream(aTenant(remote), 'read write', topology).name).toBe('remote:acme');
  });

  it('leaves a replica that failed alone for a while', () => {
    const topology = buildTopology(config);
    const tenant = aTenant(remote);
    const replica = chooseUpstream(tenant, 'read only', topology);
    topology.health.recordFailure(replica.key);
    expect(chooseUpstream(tenant, 'read only', topology).name).toBe('remote:acme');
    expect(topology.health.isHealthy(replica.key, Date.now() + 60_000)).toBe(true);
    expect(chooseUpstream(tenant, 'read only', topology)).toEqual(replica);
  });
});
