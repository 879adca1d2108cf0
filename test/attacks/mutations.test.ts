import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { believesForwardedHost, MUTATIONS } from './support/mutations.ts';
import { openStage, type Stage } from './support/stage.ts';
import { startWireMutator, type WireMutator } from './support/wire-mutator.ts';

/** How often an attack is tried while the gateway hears of a change. */
const ATTEMPTS = 100;

let stage: Stage;
let wire: WireMutator;

beforeAll(async () => {
  stage = await openStage({
    wrapUrl: async (url) => {
      wire = await startWireMutator(url);
      return wire.url;
    },
    mutateWire: (part, instead) => wire.mutate(part, instead),
  });
});
afterAll(async () => {
  await stage?.stop();
  await wire?.close();
});

async function until(wanted: boolean, attack: (stage: Stage) => Promise<boolean>): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    const succeeded = await attack(stage);
    if (succeeded === wanted || attempt === ATTEMPTS) return succeeded;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('without it an attack succeeds, with it none:', () => {
  test.each(MUTATIONS)('$defence', async ({ off, on, attack }) => {
    await on(stage).catch(() => undefined);
    expect(await until(false, attack)).toBe(false);
    await off(stage);
    try {
      expect(await until(true, attack)).toBe(true);
    } finally {
      await on(stage);
    }
    expect(await until(false, attack)).toBe(false);
  });
});

test('without it an attack succeeds, with it none: X-Forwarded-Host is believed from trusted proxies only', async () => {
  expect(await believesForwardedHost(stage)).toBe(false);
  const trusting = await openStage({ config: { gateway: { trustedProxies: ['127.0.0.1'] } } });
  expect(await believesForwardedHost(trusting)).toBe(true);
  await trusting.stop();
});
