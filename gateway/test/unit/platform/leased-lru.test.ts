import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DisposeReason, type Lease, LeasedLru } from '../../../platform/leased-lru.ts';

interface Resource {
  readonly key: string;
  readonly serial: number;
  state: 'open' | DisposeReason;
}

function aCache(options: {
  maxWeight: number;
  weigh?: (resource: Resource) => number;
  disposeFails?: boolean;
}) {
  let serial = 0;
  const failures: unknown[] = [];
  const made: Resource[] = [];
  const cache = new LeasedLru<string, Resource>({
    maxWeight: options.maxWeight,
    ...(options.weigh === undefined ? {} : { weigh: options.weigh }),
    dispose: async (resource, _, reason) => {
      if (resource.state !== 'open') throw new Error('disposed of twice');
      resource.state = reason;
      if (options.disposeFails) throw new Error('will not close');
    },
    onDisposeFailed: (cause) => failures.push(cause),
  });
  const create = (key: string): Resource => {
    const resource: Resource = { key, serial: serial++, state: 'open' };
    made.push(resource);
    return resource;
  };
  return { cache, made, failures, take: (key: string) => cache.checkout(key, create) };
}

const use = (lease: Lease<Resource>) => {
  lease.release();
  return lease.value;
};

test('the same key leases the same value until it is evicted', () => {
  const { take, made } = aCache({ maxWeight: 2 });
  const first = use(take('a'));
  use(take('b'));
  expect(use(take('a'))).toBe(first);
  use(take('c'));
  expect(made.map(({ key, state }) => [key, state])).toEqual([
    ['a', 'open'],
    ['b', 'evicted'],
    ['c', 'open'],
  ]);
});

test('an evicted value stays usable until its last release and is disposed of once', () => {
  const { cache, take } = aCache({ maxWeight: 1 });
  const one = take('a');
  const two = take('a');
  take('b');
  expect([one.value.state, cache.draining]).toEqual(['open', 1]);
  one.release();
  one.release();
  expect(one.value.state).toBe('open');
  two.release();
  expect([one.value.state, cache.draining]).toEqual(['evicted', 0]);
});

test('values nobody holds are evicted before ones on loan', () => {
  const { cache, take } = aCache({ maxWeight: 2 });
  const busy = take('a');
  const idle = use(take('b'));
  take('c');
  expect([busy.value.state, cache.draining, idle.state]).toEqual(['open', 0, 'evicted']);
});

test('a dropped key gets a new value at once while the old one drains', () => {
  const { cache, take } = aCache({ maxWeight: 5 });
  const old = take('a');
  expect([cache.drop('a'), cache.drop('a')]).toEqual([true, false]);
  const fresh = take('a');
  expect(fresh.value).not.toBe(old.value);
  old.release();
  expect([old.value.state, fresh.value.state]).toEqual(['dropped', 'open']);
});

test('keys can be dropped by a predicate', () => {
  const { cache, take } = aCache({ maxWeight: 5 });
  for (const key of ['acme/1', 'acme/2', 'globex/1']) use(take(key));
  expect(cache.dropWhere((key) => key.startsWith('acme/'))).toBe(2);
  expect(cache.values().map(({ key }) => key)).toEqual(['globex/1']);
});

test('capacity counts weights, and what is asked for right now stays even when too heavy alone', () => {
  const { cache, take } = aCache({ maxWeight: 10, weigh: ({ key }) => Number(key) });
  for (const key of ['4', '5']) use(take(key));
  use(take('3'));
  expect([cache.weight, cache.values().map(({ key }) => key)]).toEqual([8, ['5', '3']]);
  const heavy = use(take('99'));
  expect([cache.size, heavy.state]).toEqual([1, 'open']);
});

test('close waits for what is on loan, disposes of everything and refuses checkouts', async () => {
  const { cache, take, made } = aCache({ maxWeight: 5 });
  const busy = take('a');
  use(take('b'));
  let isClosed = false;
  const closing = Promise.all([cache.close(), cache.close()]).then(() => {
    isClosed = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect([isClosed, () => take('c')]).toEqual([false, expect.any(Function)]);
  expect(() => take('c')).toThrow('closed');
  busy.release();
  await closing;
  expect(made.map(({ state }) => state)).toEqual(['closed', 'closed']);
});

test('a disposal that fails is told and does not break close', async () => {
  const { cache, take, failures } = aCache({ maxWeight: 5, disposeFails: true });
  use(take('a'));
  await cache.close();
  expect(failures).toEqual([new Error('will not close')]);
});

test('whatever is leased, released and dropped: nothing on loan is disposed of, everything is in the end, the bound holds', async () => {
  const key = fc.constantFrom('1', '2', '3', '4', '5', '6');
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ action: fc.constant('take' as const), key }) },
    { weight: 4, arbitrary: fc.record({ action: fc.constant('release' as const), key }) },
    { weight: 1, arbitrary: fc.record({ action: fc.constant('drop' as const), key }) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 12 }),
      async (steps, maxWeight) => {
        const { cache, made, failures, take } = aCache({
          maxWeight,
          weigh: (resource) => Number(resource.key),
        });
        const leases: Lease<Resource>[] = [];
        for (const { action, key } of steps) {
          if (action === 'take') leases.push(take(key));
          if (action === 'drop') cache.drop(key);
          if (action === 'release') {
            const index = leases.findIndex(({ value }) => value.key === key);
            if (index >= 0) leases.splice(index, 1)[0]?.release();
          }
          expect(leases.filter(({ value }) => value.state !== 'open')).toEqual([]);
          expect(cache.weight <= maxWeight || cache.size === 1).toBe(true);
          const findable = new Set(cache.values());
          const live = new Set([...findable, ...leases.map(({ value }) => value)]);
          // What is neither findable nor on loan has been disposed of.
          expect(made.filter((resource) => resource.state === 'open' && !live.has(resource))).toEqual([]);
          expect(cache.weight).toBe([...findable].reduce((sum, resource) => sum + Number(resource.key), 0));
        }
        const closing = cache.close();
        for (const lease of leases) lease.release();
        await closing;
        expect(made.filter(({ state }) => state === 'open')).toEqual([]);
        expect([cache.size, cache.weight, cache.draining, failures]).toEqual([0, 0, 0, []]);
      },
    ),
  );
});
