import { expect, test } from 'vitest';
import { parseHostName } from '../../../platform/host-name.ts';
import type { Observation } from '../../../platform/observation.ts';
import type { RegistryReader } from '../../../registry/registry-reader.ts';
import type { Tenant } from '../../../registry/tenant.ts';
import { createTenantResolver } from '../../../tenants/resolve-tenant.ts';
import { TenantCache } from '../../../tenants/tenant-cache.ts';
import { aTenant } from '../../support/tenant-builder.ts';

/** A registry in memory that can be down, slow, and tells how often it was asked. */
class MemoryRegistry implements RegistryReader {
  readonly tenants = new Map<string, Tenant>();
  readonly asked: string[] = [];
  readonly known: (Tenant | undefined)[] = [];
  isDown = false;
  gate: Promise<void> | undefined;

  async findTenantByHost(host: string, _signal: AbortSignal, known?: Tenant): Promise<Tenant | undefined> {
    this.asked.push(host);
    this.known.push(known);
    const found = this.tenants.get(host);
    await this.gate;
    if (this.isDown) throw new Error('connection refused');
    return found;
  }

  async ping(): Promise<void> {}
}

function aCache() {
  const registry = new MemoryRegistry();
  const clock = { now: 0 };
  const observations: Observation[] = [];
  const cache = new TenantCache({
    registry,
    observe: (observation) => void observations.push(observation),
    maxHosts: 10,
    ttlMs: 10_000,
    now: () => clock.now,
    random: () => 0,
  });
  return { registry, clock, cache, observations };
}

const HOST = 'acme.localhost';
const change = { tenantId: 'acme', hosts: [HOST] };

test('a tenant is read once and then answered without a promise', async () => {
  const { registry, cache } = aCache();
  const tenant = aTenant();
  registry.tenants.set(HOST, tenant);
  expect(await Promise.all([cache.get(HOST), cache.get(HOST)])).toEqual([tenant, tenant]);
  expect(cache.get(HOST)).toBe(tenant);
  expect(registry.asked).toEqual([HOST]);
});

test('an unknown host is remembered for a moment only', async () => {
  const { registry, cache, clock } = aCache();
  expect(await cache.get(HOST)).toBeUndefined();
  expect(cache.get(HOST)).toBeUndefined();
  registry.tenants.set(HOST, aTenant());
  clock.now += 2_001;
  expect(await cache.get(HOST)).toBeDefined();
});

test('unknown hosts do not push tenants out', async () => {
  const { registry, cache } = aCache();
  registry.tenants.set(HOST, aTenant());
  await cache.get(HOST);
  for (let i = 0; i < 50; i++) await cache.get(`x${i}.localhost`);
  expect(cache.get(HOST)).not.toBeInstanceOf(Promise);
});

test('an entry past its time serves once more while it is read again', async () => {
  const { registry, cache, clock } = aCache();
  const [before, after] = [aTenant(), aTenant()];
  registry.tenants.set(HOST, before);
  await cache.get(HOST);
  registry.tenants.set(HOST, after);
  clock.now += 10_001;
  expect(cache.get(HOST)).toBe(before);
  await new Promise(setImmediate);
  expect(cache.get(HOST)).toBe(after);
});

test('a tenant that has not changed is the same object: after its time, after a notification, under another host', async () => {
  const { registry, cache, clock } = aCache();
  const tenant = aTenant();
  // As a registry reads it each time.
  const read = () => ({ ...tenant });
  registry.tenants.set(HOST, read());
  const first = await cache.get(HOST);
  registry.tenants.set(HOST, read()).set('b.localhost', read());
  clock.now += 60_000;
  expect(await cache.get(HOST)).toBe(first);
  cache.invalidate(change);
  expect(await cache.get(HOST)).toBe(first);
  expect(await cache.get('b.localhost')).toBe(first);
  const changed = { ...tenant, revision: 'another' };
  registry.tenants.set(HOST, changed).set('b.localhost', { ...changed });
  cache.invalidate({ tenantId: 'acme', hosts: [HOST, 'b.localhost'] });
  expect(await cache.get(HOST)).toBe(changed);
  expect(await cache.get('b.localhost')).toBe(changed);
});

test('the registry is told what is known of a host, even of one whose time is over', async () => {
  const { registry, cache } = aCache();
  const tenant = aTenant();
  registry.tenants.set(HOST, tenant);
  await cache.get(HOST);
  cache.invalidate(change);
  await cache.get(HOST);
  expect(registry.known).toEqual([undefined, tenant]);
});

test('an entry long past its time is waited for', async () => {
  const { registry, cache, clock } = aCache();
  registry.tenants.set(HOST, aTenant());
  await cache.get(HOST);
  const after = aTenant();
  registry.tenants.set(HOST, after);
  clock.now += 60_000;
  expect(await cache.get(HOST)).toBe(after);
});

test('a notification takes effect on the next request', async () => {
  const { registry, cache } = aCache();
  registry.tenants.set(HOST, aTenant());
  await cache.get(HOST);
  const after = aTenant({ status: 'suspended' });
  registry.tenants.set(HOST, after);
  cache.invalidate(change);
  expect(await cache.get(HOST)).toBe(after);
});

test('a tenant that is gone is gone after its notification', async () => {
  const { registry, cache } = aCache();
  registry.tenants.set(HOST, aTenant());
  await cache.get(HOST);
  registry.tenants.delete(HOST);
  cache.invalidate({ tenantId: 'acme', hosts: [] });
  expect(await cache.get(HOST)).toBeUndefined();
});

test('nothing is kept of a tenant that is gone', async () => {
  const { registry, cache } = aCache();
  const tenant = aTenant();
  registry.tenants.set(HOST, tenant);
  await cache.get(HOST);
  registry.tenants.delete(HOST);
  cache.invalidate(change);
  await cache.get(HOST);
  const again = { ...tenant };
  registry.tenants.set(HOST, again);
  cache.invalidate(change);
  expect(await cache.get(HOST)).toBe(again);
});

test('a notification of a pattern drops what was unknown below it', async () => {
  const { registry, cache } = aCache();
  await cache.get('a.acme.localhost');
  const tenant = aTenant();
  registry.tenants.set('a.acme.localhost', tenant);
  cache.invalidate({ tenantId: 'acme', hosts: ['*.acme.localhost'] });
  expect(await cache.get('a.acme.localhost')).toBe(tenant);
});

test('what was read before a notification is never handed out after it', async () => {
  const { registry, cache } = aCache();
  const gate = Promise.withResolvers<void>();
  registry.tenants.set(HOST, aTenant());
  registry.gate = gate.promise;
  const waiting = cache.get(HOST);
  const after = aTenant();
  registry.tenants.set(HOST, after);
  registry.gate = undefined;
  cache.invalidate(change);
  gate.resolve();
  expect(await waiting).toBe(after);
  expect(cache.get(HOST)).toBe(after);
});

test('while the registry is down old entries serve, also those a notification has named', async () => {
  const { registry, cache, clock, observations } = aCache();
  const tenant = aTenant();
  registry.tenants.set(HOST, tenant);
  await cache.get(HOST);
  registry.isDown = true;
  cache.invalidate(change);
  expect(await cache.get(HOST)).toBe(tenant);
  clock.now += 3_600_000;
  expect(cache.get(HOST)).toBe(tenant);
  expect(observations.map(({ kind }) => kind)).toContain('registry-unreachable');
});

test('while the registry is down it is asked once a second', async () => {
  const { registry, cache, clock } = aCache();
  registry.tenants.set(HOST, aTenant());
  await cache.get(HOST);
  registry.isDown = true;
  cache.invalidate(change);
  await cache.get(HOST);
  for (let i = 0; i < 20; i++) await cache.get(HOST);
  expect(registry.asked).toHaveLength(2);
  clock.now += 1_001;
  await cache.get(HOST);
  expect(registry.asked).toHaveLength(3);
});

test('once the registry is back, what changed meanwhile is seen', async () => {
  const { registry, cache, clock } = aCache();
  registry.tenants.set(HOST, aTenant());
  await cache.get(HOST);
  registry.isDown = true;
  clock.now += 30_000;
  await cache.get(HOST);
  registry.isDown = false;
  const after = aTenant();
  registry.tenants.set(HOST, after);
  cache.invalidateAll();
  expect(await cache.get(HOST)).toBe(after);
});

test('an unknown host while the registry is down is GW106', async () => {
  const { registry, cache } = aCache();
  registry.isDown = true;
  await expect(cache.get(HOST)).rejects.toMatchObject({ code: 'GW106', status: 503 });
});

test('the resolver answers each kind of host with its status', async () => {
  const { registry, cache } = aCache();
  const [active, moving] = [aTenant(), aTenant({ status: 'moving' })];
  registry.tenants
    .set('a', active)
    .set('s', aTenant({ status: 'suspended' }))
    .set('m', moving);
  const resolve = createTenantResolver({ cache, isTrustedProxy: (address) => address === '10.0.0.1' });
  const outcome = async (host: string | undefined, forwarded?: string, remoteAddress = '10.0.0.9') => {
    const headers: Record<string, string> = forwarded === undefined ? {} : { 'x-forwarded-host': forwarded };
    try {
      const hostName = host === undefined ? undefined : parseHostName(host);
      return await resolve({ host, hostName, headers, remoteAddress });
    } catch (error) {
      return error instanceof Error && 'code' in error ? error.code : error;
    }
  };
  expect(await outcome('A.:80')).toBe(active);
  expect(await outcome('m')).toBe(moving);
  expect(await outcome('s')).toBe('GW102');
  expect(await outcome('x')).toBe('GW101');
  expect(await outcome('a b')).toBe('GW108');
  expect(await outcome(undefined)).toBe('GW108');
  expect(await outcome('a', 'm')).toBe(active);
  expect(await outcome('a', 'm, other', '10.0.0.1')).toBe(moving);
  expect(await outcome('a', 'not a host', '10.0.0.1')).toBe('GW108');
});
