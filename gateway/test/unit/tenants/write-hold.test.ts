import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Tenant } from '../../../registry/tenant.ts';
import { WriteHold } from '../../../tenants/write-hold.ts';
import { aTenant } from '../../support/tenant-builder.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const moving = aTenant({ status: 'moving', hosts: ['acme.localhost'], epoch: 1 });
const moved = aTenant({ status: 'active', hosts: ['acme.localhost'], epoch: 2 });

/** A hold on a registry that answers with what `registry.tenant` is. */
function aHold(options: { maxRequests?: number; timeoutMs?: number } = {}) {
  const registry: { tenant: Tenant | undefined; reads: number } = { tenant: moving, reads: 0 };
  const hold = new WriteHold({
    cache: {
      get: async () => {
        registry.reads++;
        return registry.tenant;
      },
      invalidate: () => undefined,
    },
    maxRequests: options.maxRequests ?? 10,
    timeoutMs: options.timeoutMs ?? 5_000,
  });
  return { hold, registry };
}

describe('writes that wait for a move', () => {
  test('go on in their order, with the tenant as it is then, when a notification says that it has changed', async () => {
    const { hold, registry } = aHold();
    const order: string[] = [];
    const waits = ['a', 'b', 'c'].map(async (name) => {
      const tenant = await hold.wait(moving);
      order.push(`${name}@${tenant.epoch}`);
    });
    await vi.advanceTimersByTimeAsync(100);
    expect([order, hold.count]).toEqual([[], 3]);
    registry.tenant = moved;
    hold.lookAgain(moving.id);
    await Promise.all(waits);
    expect([order, hold.count]).toEqual([['a@2', 'b@2', 'c@2'], 0]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('go on without a notification, too', async () => {
    const { hold, registry } = aHold();
    const wait = hold.wait(moving);
    await vi.advanceTimersByTimeAsync(100);
    registry.tenant = moved;
    await vi.advanceTimersByTimeAsync(500);
    expect(await wait).toBe(moved);
  });

  test('are refused beyond the number and the time, and the others wait on', async () => {
    const { hold, registry } = aHold({ maxRequests: 2, timeoutMs: 1_000 });
    const first = hold.wait(moving).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(600);
    const second = hold.wait(moving);
    expect(() => hold.wait(moving)).toThrow(expect.objectContaining({ code: 'GW103' }));
    await vi.advanceTimersByTimeAsync(400);
    expect(await first).toMatchObject({ code: 'GW103', headers: { 'Retry-After': '2' } });
    registry.tenant = moved;
    hold.lookAgain(moving.id);
    expect(await second).toBe(moved);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a tenant that is deleted or suspended meanwhile has no writes', async () => {
    const { hold, registry } = aHold();
    const gone = hold.wait(moving).catch((error: unknown) => error);
    registry.tenant = undefined;
    hold.lookAgain(moving.id);
    expect(await gone).toMatchObject({ code: 'GW101' });
    registry.tenant = aTenant({ status: 'suspended' });
    await expect(hold.wait(moving)).rejects.toMatchObject({ code: 'GW102' });
  });

  test('nothing is kept or asked for when nobody waits', async () => {
    const { hold, registry } = aHold();
    hold.lookAgain(moving.id);
    await vi.advanceTimersByTimeAsync(2_000);
    expect([registry.reads, vi.getTimerCount()]).toEqual([0, 0]);
  });
});
