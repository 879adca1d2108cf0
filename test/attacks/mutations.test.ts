import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MUTATIONS } from './mutations/all-mutations.ts';
import { type Mutants, startMutants } from './mutations/mutants.ts';
import type { MutableStage } from './mutations/mutation.ts';
import { openStage } from './support/stage.ts';

/** How often an attack is tried while the gateway hears of a change. */
const ATTEMPTS = 100;

let stage: MutableStage;

beforeAll(async () => {
  let mutants: Mutants | undefined;
  const edits = MUTATIONS.map(({ defence, edits: own = [] }) => [defence, own] as const);
  const opened = await openStage({
    openElsewhere: async (admin) => {
      mutants = await startMutants(admin, edits);
      return mutants;
    },
  });
  // Not a copy: the port changes.
  stage = Object.assign(opened, { mutants: mutants! });
});
afterAll(() => stage?.stop());

async function until(
  wanted: boolean,
  attack: (stage: MutableStage) => Promise<boolean | undefined>,
): Promise<boolean | undefined> {
  for (let attempt = 1; ; attempt++) {
    const succeeded = await attack(stage);
    if (succeeded === wanted || attempt === ATTEMPTS) return succeeded;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('without it an attack succeeds, with it none:', () => {
  test.each(MUTATIONS)('$defence', async ({ defence, gateway, given, after, off, on, attack }) => {
    const { mutants } = stage;
    if (gateway !== undefined) await mutants.switch(undefined, gateway);
    await given?.(stage);
    try {
      expect(await until(false, attack)).toBe(false);
      await mutants.switch(defence, gateway);
      try {
        await off?.(stage);
        expect(await until(true, attack)).toBe(true);
      } finally {
        await mutants.switch(undefined, gateway);
        await on?.(stage);
      }
      expect(await until(false, attack)).toBe(false);
    } finally {
      await after?.(stage);
    }
  });
});
