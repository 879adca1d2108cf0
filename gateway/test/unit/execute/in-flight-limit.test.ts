import { expect, test } from 'vitest';
import { InFlightLimit } from '../../../execute/in-flight-limit.ts';
import type { TenantLimits } from '../../../registry/tenant.ts';
import { aTenant } from '../../support/tenant-builder.ts';

const present = { aborted: false };
const tenant = (limits: Partial<TenantLimits>) => {
  const base = aTenant();
  return { ...base, limits: { ...base.limits, ...limits } };
};

function aRun(limit: InFlightLimit, limits: Partial<TenantLimits>, signal = present) {
  const { promise, resolve } = Promise.withResolvers<string>();
  const state = { hasBegun: false };
  const result = limit.run(tenant(limits), signal, () => {
    state.hasBegun = true;
    return promise;
  });
  return { state, result, end: () => resolve('done') };
}

test('beyond the limit requests wait in the order of arrival, and beyond the queue they are refused', async () => {
  const limit = new InFlightLimit();
  const limits = { maxInFlight: 1, maxQueue: 2, maxQueueWaitMs: 60_000 };
  const runs = [1, 2, 3].map(() => aRun(limit, limits));
  await expect(aRun(limit, limits).result).rejects.toMatchObject({
    code: 'GW301',
    status: 429,
    headers: { 'Retry-After': '1' },
  });
  const begun = () => runs.map(({ state }) => state.hasBegun);
  expect(begun()).toEqual([true, false, false]);
  for (const [index, run] of runs.entries()) {
    expect(begun()).toEqual(runs.map((_, i) => i <= index));
    run.end();
    expect(await run.result).toBe('done');
    await new Promise(setImmediate);
  }
});

test('without a queue the next one is refused at once', async () => {
  const limit = new InFlightLimit();
  const first = aRun(limit, { maxInFlight: 1, maxQueue: 0 });
  await expect(aRun(limit, { maxInFlight: 1, maxQueue: 0 }).result).rejects.toMatchObject({ code: 'GW301' });
  first.end();
  await first.result;
});

test('whoever waits too long gets 429, whoever has gone is let go, and places are not lost', async () => {
  const limit = new InFlightLimit();
  const limits = { maxInFlight: 1, maxQueue: 5, maxQueueWaitMs: 60_000 };
  const first = aRun(limit, limits);
  const impatient = aRun(limit, { ...limits, maxQueueWaitMs: 1 });
  const leaving = { aborted: false };
  const gone = aRun(limit, limits, leaving);
  const patient = aRun(limit, limits);
  leaving.aborted = true;
  await expect(impatient.result).rejects.toMatchObject({ code: 'GW306', status: 429 });
  await expect(gone.result).rejects.toMatchObject({ code: 'GW902' });
  first.end();
  patient.end();
  expect(await patient.result).toBe('done');
  expect([impatient.state.hasBegun, gone.state.hasBegun]).toEqual([false, false]);
});
