import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALL_BUT } from './beyond/all-but.ts';
import { COLUMN_FILTERS } from './beyond/column-filters.ts';
import { UPDATE_BY_KEY } from './beyond/update-by-key.ts';
import type { ConformanceCase } from './cases/case.ts';
import { actualOutcome, expectedOutcome } from './runner/exchange.ts';
import { openTargets, type TargetSet } from './runner/targets.ts';

/** What PostgREST does not do, on the fixture of the conformance cases. No other server is asked. */
const GROUPS: ReadonlyMap<string, readonly ConformanceCase[]> = new Map([
  ['column filters', COLUMN_FILTERS],
  ['all columns but some', ALL_BUT],
  ['update by key', UPDATE_BY_KEY],
]);

describe.each(['trusted', 'sealed', 'sealed-pooled'] as const)('%s', (mode) => {
  let opened: TargetSet;

  beforeAll(async () => {
    opened = await openTargets({ kind: 'own', mode });
  });

  afterAll(() => opened?.close());

  describe.each([...GROUPS])('%s', (_group, cases) => {
    it.each(cases.map((subject) => [subject.name, subject] as const))('%s', async (_name, subject) => {
      const target = opened.targets.get(subject.variant ?? 'main')!;
      for (const exchange of [subject, ...(subject.afterwards ?? [])]) {
        expect(await actualOutcome(target, exchange), `${exchange.method ?? 'GET'} ${exchange.path}`).toEqual(
          expectedOutcome(exchange),
        );
      }
    });
  });
});
