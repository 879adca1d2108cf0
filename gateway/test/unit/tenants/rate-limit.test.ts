import { expect, test } from 'vitest';
import { RateLimit } from '../../../tenants/rate-limit.ts';
import { aTenant } from '../../support/tenant-builder.ts';

const limited = (id: string, requestsPerSecond: number | undefined) => {
  const { limits, ...tenant } = aTenant({ id });
  return { ...tenant, limits: { ...limits, requestsPerSecond } };
};

function aLimit() {
  const clock = { ms: 0 };
  return { clock, limit: new RateLimit(() => clock.ms) };
}

function taken(limit: RateLimit, tenant: ReturnType<typeof limited>, count: number): number {
  let good = 0;
  for (let i = 0; i < count; i++) {
    try {
      limit.take(tenant);
      good++;
    } catch (error) {
      expect(error).toMatchObject({ code: 'GW305', status: 429 });
    }
  }
  return good;
}

test('one second’s worth at once, and then as many as the time brings', () => {
  const { clock, limit } = aLimit();
  const acme = limited('acme', 10);
  expect(taken(limit, acme, 30)).toBe(10);
  clock.ms = 350;
  expect(taken(limit, acme, 30)).toBe(3);
  clock.ms = 60_000;
  expect(taken(limit, acme, 30)).toBe(10);
});

test('one tenant’s requests are not counted against another', () => {
  const { limit } = aLimit();
  expect(taken(limit, limited('acme', 1), 5)).toBe(1);
  expect(taken(limit, limited('globex', 2), 5)).toBe(2);
  expect(taken(limit, limited('initech', undefined), 5)).toBe(5);
  expect(limit.size).toBe(2);
});

test('Retry-After is whole seconds, at least one', () => {
  const { limit } = aLimit();
  taken(limit, limited('acme', 3), 3);
  expect(() => limit.take(limited('acme', 3))).toThrow(
    expect.objectContaining({
      headers: { 'Retry-After': '1' },
      message: 'Too many requests in a short time: this project may send 3 a second',
    }),
  );
});

test('tenants that ask for nothing are forgotten', () => {
  const { clock, limit } = aLimit();
  for (let i = 0; i < 100; i++) limit.take(limited(`t${i}`, 5));
  clock.ms = 11_000;
  limit.take(limited('acme', 5));
  expect(limit.size).toBe(1);
});
