import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { GatewayError } from '../../../errors/gateway-error.ts';
import type { Observation } from '../../../platform/observation.ts';
import type { PostgrestSettings, Tenant, TenantId } from '../../../registry/tenant.ts';
import type { SchemaCache } from '../../../schema-cache/schema-cache.ts';
import { SchemaCacheStore } from '../../../schema-cache/schema-cache-store.ts';
import { aSchemaCache } from './builders.ts';

const NEVER = new AbortController().signal;

const SETTINGS: PostgrestSettings = {
  dbSchemas: ['public'],
  dbExtraSearchPath: [],
  dbAnonRole: 'anon',
  dbMaxRows: undefined,
  dbConfig: true,
  dbPreConfig: undefined,
  dbPreRequest: undefined,
  dbRootSpec: undefined,
  dbTxEnd: 'commit',
  dbPlanEnabled: false,
  dbAggregatesEnabled: false,
  dbHoistedTxSettings: [],
  dbPreparedStatements: true,
  clientErrorVerbosity: 'verbose',
  jwtAud: undefined,
  jwtRoleClaimKey: '.role',
  openapiMode: 'follow-privileges',
  openapiSecurityActive: false,
  openapiServerProxyUri: undefined,
  serverCorsAllowedOrigins: [],
  serverTraceHeader: undefined,
  serverTimingEnabled: false,
  urlUseLegacyTargetNames: true,
  cascataBatchMaxRequests: 0,
  cascataEtagEnabled: false,
  cascataKeysetEnabled: false,
  cascataMethodOverrideEnabled: false,
  cascataQueryMethodEnabled: false,
  appSettings: {},
};

function aTenant(id = 'acme', changes: Partial<Tenant> = {}): Tenant {
  return {
    id: id as TenantId,
    status: 'active',
    hosts: [],
    placement: { kind: 'shared' },
    isolation: 'trusted',
    epoch: 1,
    naming: { schemaPrefix: id, rolePrefix: id },
    jwt: { kind: 'none' },
    requireApiKey: false,
    apiKeys: [],
    limits: { maxInFlight: undefined, statementTimeoutMs: undefined, maxBodyBytes: undefined },
    settings: SETTINGS,
    revision: '1',
    ...changes,
  };
}

/** Loads that are answered by hand, in the order in which they began. */
class Loads {
  readonly begun: {
    tenant: Tenant;
    signal: AbortSignal;
    answer(cache: SchemaCache): void;
    fail(error: Error): void;
  }[] = [];

  readonly load = (tenant: Tenant, signal: AbortSignal): Promise<SchemaCache> => {
    const { promise, resolve, reject } = Promise.withResolvers<SchemaCache>();
    this.begun.push({ tenant, signal, answer: resolve, fail: reject });
    return promise;
  };
}

function aStore(options: { maxBytes?: number; maxAgeMs?: number } = {}) {
  const loads = new Loads();
  const observed: Observation[] = [];
  const store = new SchemaCacheStore({
    load: loads.load,
    maxBytes: options.maxBytes ?? 1_000_000,
    maxAgeMs: options.maxAgeMs ?? 3_600_000,
    observe: (observation) => observed.push(observation),
  });
  return { store, loads: loads.begun, observed };
}

/** A store that holds `first` for the tenant. */
async function aFilledStore(options: { maxBytes?: number; maxAgeMs?: number } = {}) {
  const all = aStore(options);
  const first = aSchemaCache({});
  const waiting = all.store.get(aTenant(), NEVER);
  all.loads[0]!.answer(first);
  await waiting;
  return { ...all, first };
}

const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('the first picture', () => {
  test('is read once for all who ask at the same time, and kept', async () => {
    const { store, loads, observed } = aStore();
    const asked = [store.get(aTenant(), NEVER), store.get(aTenant(), NEVER)];
    const cache = aSchemaCache({});
    loads[0]!.answer(cache);
    expect(await Promise.all(asked)).toEqual([cache, cache]);
    expect(await store.get(aTenant(), NEVER)).toBe(cache);
    expect(loads).toHaveLength(1);
    expect(observed).toEqual([
      {
        kind: 'schema-cache-loaded',
        tenantId: 'acme',
        durationMs: expect.any(Number),
        relations: 0,
        sizeBytes: 1_000,
      },
    ]);
  });

  test('that cannot be read is PGRST002, and the next request tries again', async () => {
    const { store, loads, observed } = aStore();
    const cause = new Error('permission denied');
    const first = store.get(aTenant(), NEVER);
    loads[0]!.fail(cause);
    await expect(first).rejects.toMatchObject({
      code: 'PGRST002',
      status: 503,
      headers: { 'Retry-After': '1' },
      cause,
    });
    const second = store.get(aTenant(), NEVER);
    loads[1]!.answer(aSchemaCache({}));
    await second;
    expect(observed.map(({ kind }) => kind)).toEqual(['schema-cache-failed', 'schema-cache-loaded']);
  });

  test('that fails for want of a connection says so', async () => {
    const { store, loads } = aStore();
    const error = new GatewayError('PGRST000');
    const asked = store.get(aTenant(), NEVER);
    loads[0]!.fail(error);
    await expect(asked).rejects.toBe(error);
  });

  test('a client that goes away stops waiting, and the reading goes on', async () => {
    const { store, loads } = aStore();
    const client = new AbortController();
    const asked = store.get(aTenant(), client.signal);
    client.abort(new Error('gone'));
    await expect(asked).rejects.toThrow('gone');
    const cache = aSchemaCache({});
    loads[0]!.answer(cache);
    await settle();
    expect(await store.get(aTenant(), NEVER)).toBe(cache);
    expect(loads).toHaveLength(1);
  });

  test('a client that has gone before asking leaves no failure unheard', async () => {
    const { store, loads } = aStore();
    await expect(store.get(aTenant(), AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
    loads[0]!.fail(new Error('nobody hears this'));
    await settle();
  });
});

describe('after a change', () => {
  test('many notifications make one reload, and the old picture serves meanwhile', async () => {
    const { store, loads, first } = await aFilledStore();
    for (let i = 0; i < 5; i++) store.invalidate(aTenant().id);
    expect(loads).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(100);
    expect(loads).toHaveLength(2);
    expect(await store.get(aTenant(), NEVER)).toBe(first);
    const second = aSchemaCache({});
    loads[1]!.answer(second);
    await settle();
    expect(await store.get(aTenant(), NEVER)).toBe(second);
  });

  test('a reading that began before the change is not published', async () => {
    const { store, loads } = aStore();
    const asked = store.get(aTenant(), NEVER);
    store.invalidate(aTenant().id);
    await vi.advanceTimersByTimeAsync(100);
    expect(loads[0]!.signal.aborted).toBe(true);
    loads[0]!.answer(aSchemaCache({}));
    const fresh = aSchemaCache({});
    loads[1]!.answer(fresh);
    expect(await asked).toBe(fresh);
    expect(await store.get(aTenant(), NEVER)).toBe(fresh);
  });

  test('a tenant that nobody uses is not read', async () => {
    const { store, loads } = aStore();
    store.invalidate(aTenant().id);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(loads).toEqual([]);
  });

  test('a failed reload leaves the old picture in place and is tried again later, each time later', async () => {
    const { store, loads, first } = await aFilledStore();
    store.invalidate(aTenant().id);
    await vi.advanceTimersByTimeAsync(100);
    loads[1]!.fail(new Error('down'));
    await settle();
    expect(await store.get(aTenant(), NEVER)).toBe(first);
    expect(loads).toHaveLength(2);

    await vi.advanceTimersByTimeAsync(1_000);
    expect(await store.get(aTenant(), NEVER)).toBe(first);
    loads[2]!.fail(new Error('still down'));
    await vi.advanceTimersByTimeAsync(1_000);
    await store.get(aTenant(), NEVER);
    expect(loads).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(1_000);
    await store.get(aTenant(), NEVER);
    expect(loads).toHaveLength(4);
  });

  test('when notifications may have been lost, each picture is read again on its next use', async () => {
    const { store, loads, first } = await aFilledStore();
    store.invalidateAll();
    expect(loads).toHaveLength(1);
    expect(await store.get(aTenant(), NEVER)).toBe(first);
    expect(loads).toHaveLength(2);
  });

  test('an old picture is read again in the background', async () => {
    const { store, loads, first } = await aFilledStore({ maxAgeMs: 60_000 });
    await vi.advanceTimersByTimeAsync(59_000);
    await store.get(aTenant(), NEVER);
    expect(loads).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await store.get(aTenant(), NEVER)).toBe(first);
    expect(loads).toHaveLength(2);
  });
});

describe('after a change of settings', () => {
  const widened = aTenant('acme', { settings: { ...SETTINGS, dbSchemas: ['public', 'api'] }, revision: '2' });

  test('other exposed schemas need another picture before the next answer', async () => {
    const { store, loads } = await aFilledStore();
    const asked = store.get(widened, NEVER);
    const second = aSchemaCache({});
    loads[1]!.answer(second);
    expect(await asked).toBe(second);
    expect(loads[1]!.tenant).toBe(widened);
  });

  test('what the picture does not depend on needs none', async () => {
    const { store, loads, first } = await aFilledStore();
    expect(await store.get(aTenant('acme', { revision: '2', requireApiKey: true }), NEVER)).toBe(first);
    expect(loads).toHaveLength(1);
  });

  test('the old picture serves if the new one cannot be read', async () => {
    const { store, loads, first } = await aFilledStore();
    const asked = store.get(widened, NEVER);
    loads[1]!.fail(new Error('down'));
    expect(await asked).toBe(first);
  });

  test('a reading for the old settings is begun again for the new ones', async () => {
    const { store, loads } = aStore();
    const asked = [store.get(aTenant(), NEVER), store.get(widened, NEVER)];
    await settle();
    expect(loads.map(({ tenant }) => tenant.revision)).toEqual(['1', '2']);
    const cache = aSchemaCache({});
    loads[1]!.answer(cache);
    expect(await Promise.all(asked)).toEqual([cache, cache]);
  });
});

describe('settings of the database', () => {
  const settled = { 'db-max-rows': '5', 'app.settings.a': 'b' };

  test('are put over the registry’s once for each picture, and give another revision', async () => {
    const { store } = aStore();
    const cache = { ...aSchemaCache({}), databaseSettings: settled };
    const tenant = aTenant();
    const merged = store.withSettings(tenant, cache);
    expect(merged.settings).toEqual({ ...SETTINGS, dbMaxRows: 5, appSettings: { 'app.settings.a': 'b' } });
    expect(merged.revision).not.toBe(tenant.revision);
    expect(store.withSettings(tenant, cache)).toBe(merged);
    expect(store.withSettings(tenant, aSchemaCache({}))).toBe(tenant);
  });

  test('stay over a change of the registry', async () => {
    const { store } = aStore();
    const cache = { ...aSchemaCache({}), databaseSettings: settled };
    store.withSettings(aTenant(), cache);
    const changed = aTenant('acme', { settings: { ...SETTINGS, dbPlanEnabled: true, dbMaxRows: 9 } });
    expect(store.withSettings(changed, cache).settings).toMatchObject({ dbPlanEnabled: true, dbMaxRows: 5 });
  });

  test('that are asked for or not need another picture', async () => {
    const { store, loads } = await aFilledStore();
    for (const change of [{ dbConfig: false }, { dbPreConfig: 'config' }]) {
      store.get(aTenant('acme', { settings: { ...SETTINGS, ...change } }), NEVER).catch(() => undefined);
      await settle();
    }
    expect(loads.slice(1).map(({ tenant }) => tenant.settings.dbPreConfig)).toEqual([undefined, 'config']);
  });
});

describe('reloads from outside', () => {
  test('reload reads a picture that is there, and never fails', async () => {
    const { store, loads, first } = await aFilledStore();
    const failing = store.reload('acme' as TenantId);
    loads[1]!.fail(new Error('no catalog today'));
    await failing;
    expect(await store.get(aTenant(), NEVER)).toBe(first);
    await store.reload('nobody' as TenantId);
    expect(loads).toHaveLength(2);
  });

  test('an expired picture is read again when it is next asked for', async () => {
    const { store, loads, first } = await aFilledStore();
    store.expire('acme' as TenantId);
    await settle();
    expect(loads).toHaveLength(1);
    expect(await store.get(aTenant(), NEVER)).toBe(first);
    expect(loads).toHaveLength(2);
  });

  test('held pictures tell when they were used last', async () => {
    const { store } = await aFilledStore();
    await vi.advanceTimersByTimeAsync(5_000);
    await store.get(aTenant(), NEVER);
    const [held] = store.held();
    expect(held!.usedAt - held!.loadedAt).toBe(5_000);
  });
});

describe('bounds', () => {
  test('the least recently used pictures go first', async () => {
    const { store, loads } = aStore({ maxBytes: 2_500 });
    const ids = ['a', 'b', 'c'];
    for (const [i, id] of ids.entries()) {
      const asked = store.get(aTenant(id), NEVER);
      loads[i]!.answer(aSchemaCache({}));
      await asked;
    }
    await store.get(aTenant('c'), NEVER);
    expect(loads).toHaveLength(3);
    void store.get(aTenant('a'), NEVER);
    expect(loads).toHaveLength(4);
  });

  test('a picture that grows in use pushes others out, which is told', async () => {
    const { store, loads, observed } = aStore({ maxBytes: 2_500 });
    let sizeBytes = 1_000;
    const growing: SchemaCache = Object.defineProperty(aSchemaCache({}), 'sizeBytes', {
      get: () => sizeBytes,
    });
    for (const [i, [id, cache]] of [['a', aSchemaCache({})] as const, ['b', growing] as const].entries()) {
      const asked = store.get(aTenant(id), NEVER);
      loads[i]!.answer(cache);
      await asked;
    }
    sizeBytes = 1_050;
    await store.get(aTenant('b'), NEVER);
    // A little is not worth weighing it again.
    expect([store.stats(), store.sizes()]).toEqual([{ count: 2, bytes: 2_000 }, [1_000, 1_000]]);
    sizeBytes = 2_000;
    expect(await store.get(aTenant('b'), NEVER)).toBe(growing);
    expect([store.stats(), store.sizes()]).toEqual([{ count: 1, bytes: 2_000 }, [2_000]]);
    expect(observed.at(-1)).toEqual({ kind: 'schema-cache-evicted', tenantId: 'a', sizeBytes: 1_000 });
    await store.get(aTenant('b'), NEVER);
    void store.get(aTenant('a'), NEVER);
    expect(loads).toHaveLength(3);
  });

  test('a picture larger than the bound is kept all the same', async () => {
    const { store, loads } = await aFilledStore({ maxBytes: 10 });
    await store.get(aTenant(), NEVER);
    expect(loads).toHaveLength(1);
  });

  test('a closed store reloads nothing', async () => {
    const { store, loads } = await aFilledStore();
    store.invalidate(aTenant().id);
    store.close();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(loads).toHaveLength(1);
  });
});
