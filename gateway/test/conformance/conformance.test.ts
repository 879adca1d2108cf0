import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BEHAVIOURS, SHOWN_ELSEWHERE } from './behaviours.ts';
import { CASE_GROUPS } from './cases/all-cases.ts';
import type { ConformanceCase } from './cases/case.ts';
import { actualOutcome, expectedOutcome } from './runner/exchange.ts';
import { chooseTarget, openTargets, type TargetSet } from './runner/targets.ts';
import { renderCompatibility } from './write-compatibility.ts';

const choice = chooseTarget(process.env);
let opened: TargetSet;
const ROOT = new URL('../../../', import.meta.url);

beforeAll(async () => {
  opened = await openTargets(choice);
});

afterAll(() => opened?.close());

for (const [group, cases] of CASE_GROUPS) {
  describe(group, () => {
    for (const subject of cases) {
      const reason = whyNotSent(subject);
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

/** Our own gateway gets every case. Another server may be too old for one, or lack its variant. */
function whyNotSent(subject: ConformanceCase): string | undefined {
  if (choice.kind === 'own') return undefined;
  if (subject.since !== undefined && subject.since > choice.version) {
    return `the target is PostgREST ${choice.version}, this came with ${subject.since}`;
  }
  if (choice.kind === 'url' && (subject.variant ?? 'main') !== 'main') {
    return `a URL has the settings of main, not of ${subject.variant}`;
  }
  return undefined;
}

describe('the cases', () => {
  const all = [...CASE_GROUPS.values()].flat();

  it('have names of their own', () => {
    const names = all.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it('name behaviours that exist', () => {
    expect(all.flatMap(({ ids }) => ids).filter((id) => !(id in BEHAVIOURS))).toEqual([]);
  });

  it('are what docs/compatibility.md says', async () => {
    expect(await readFile(new URL('docs/compatibility.md', ROOT), 'utf8')).toBe(renderCompatibility());
  });

  it('leave to other tests only what exists under that name', async () => {
    for (const { file, name } of Object.values(SHOWN_ELSEWHERE).flat()) {
      const source = await readFile(new URL(file, ROOT), 'utf8');
      expect(
        [`'${name}'`, `"${name}"`].some((quoted) => source.includes(quoted)),
        `${file}: ${name}`,
      ).toBe(true);
    }
    expect(Object.keys(SHOWN_ELSEWHERE).filter((id) => !(id in BEHAVIOURS))).toEqual([]);
  });
});
