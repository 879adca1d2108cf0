import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { BEHAVIOURS, SHOWN_ELSEWHERE } from './behaviours.ts';
import { CASE_GROUPS } from './cases/all-cases.ts';
import { runCases } from './runner/run-cases.ts';
import { chooseTarget } from './runner/targets.ts';
import { renderCompatibility } from './write-compatibility.ts';

const ROOT = new URL('../../../', import.meta.url);

runCases(chooseTarget(process.env));

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
