import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ATTACK_GROUPS } from './cases/all-groups.ts';
import type { Attack } from './support/attack.ts';
import { MixedRequests } from './support/mixed-requests.ts';
import { summaryOf } from './support/speak.ts';
import { openStage, type Stage, type StageOptions } from './support/stage.ts';
import { MARKER } from './support/tenant-sql.ts';

/** Requests of the victim after each group. */
const FOLLOWING = 1_000;

/**
 * Every attack over HTTP against a gateway, and after each the victim's session, after each group a thousand of the victim's requests: all of it
 * must be as it was before anything happened.
 */
export function attackOn(server: string, options: () => StageOptions | Promise<StageOptions>): void {
  let stage: Stage;
  let untouched: string;
  let following: MixedRequests;

  beforeAll(async () => {
    stage = await openStage(await options());
    untouched = await stage.traces();
    following = await MixedRequests.before(stage);
  });
  afterAll(() => stage?.stop());

  describe(`on ${server}`, () => {
    test('the attacker runs any SQL of its own, sealed, and the victim has what is worth stealing', async () => {
      const answer = await stage.run(`SELECT current_user || ' ' || session_user`);
      expect(answer.text).toBe(`"${stage.attacker}_service_role cascata_sealed"`);
      expect(untouched).toContain(MARKER);
    });

    describe.each(ATTACK_GROUPS)('$title', ({ attacks }) => {
      test.each(attacks)('$name', async (attack) => {
        const { back, received } = await attempt(stage, attack);
        expect(received).not.toContain(MARKER);
        expect(back).toBe(attack.back);
        expect(await stage.traces()).toBe(untouched);
      });

      test(`leaves nothing for the next ${FOLLOWING} requests of the victim`, async () => {
        expect(await following.send(FOLLOWING)).toEqual([]);
      });
    });
  });
}

async function attempt(stage: Stage, { sql, run }: Attack): Promise<{ back: string; received: string }> {
  if (run !== undefined) return run(stage);
  const answer = await stage.run(...(sql ?? []));
  return { back: summaryOf(answer), received: answer.text + JSON.stringify(answer.headers) };
}
