import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CASE_GROUPS } from '../cases/all-cases.ts';
import type { ConformanceCase } from '../cases/case.ts';
import { actualOutcome, expectedOutcome } from './exchange.ts';
import { openTargets, type TargetChoice, type TargetSet } from './targets.ts';

/** Registers one test for each case. Call it at the top of a test file. */
export function runCases(choice: TargetChoice): void {
  let opened: TargetSet;

  beforeAll(async () => {
    opened = await openTargets(choice);
  });

  afterAll(() => opened?.close());

  for (const [group, cases] of CASE_GROUPS) {
    describe(group, () => {
      for (const subject of cases) {
        const reason = whyNotSent(choice, subject);
        it.skipIf(reason !== undefined)(
          reason === undefined ? subject.name : `${subject.name} [${reason}]`,
          async () => {
            const target = opened.targets.get(subject.variant ?? 'main')!;
            for (const exchange of [subject, ...(subject.afterwards ?? [])]) {
              expect(
                await actualOutcome(target, exchange),
                `${exchange.method ?? 'GET'} ${exchange.path}`,
              ).toEqual(expectedOutcome(exchange));
            }
          },
        );
      }
    });
  }
}

/** Our own gateway gets every case. Another server may be too old for one, or lack its variant. */
function whyNotSent(choice: TargetChoice, subject: ConformanceCase): string | undefined {
  if (choice.kind === 'own') return undefined;
  if (subject.since !== undefined && subject.since > choice.version) {
    return `the target is PostgREST ${choice.version}, this came with ${subject.since}`;
  }
  if (choice.kind === 'url' && (subject.variant ?? 'main') !== 'main') {
    return `a URL has the settings of main, not of ${subject.variant}`;
  }
  return undefined;
}
