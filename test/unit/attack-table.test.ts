import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { MUTATIONS } from '../attacks/mutations/all-mutations.ts';
import { namedDefences, withAttackTable } from '../attacks/support/attack-table.ts';

const FILE = new URL('../../docs/security.md', import.meta.url);

test('docs/security.md names the defences that are switched off by tests, and no others', async () => {
  const named = namedDefences(await readFile(FILE, 'utf8'));
  expect(named).toEqual(MUTATIONS.map(({ defence }) => defence));
  expect(new Set(named).size).toBe(named.length);
});

test('docs/security.md tells of every attack there is: node test/attacks/write-report.ts writes it', async () => {
  const document = await readFile(FILE, 'utf8');
  expect(withAttackTable(document)).toBe(document);
});

test('what the mutations edit is in the sources: exactly once, one edit after the other', async () => {
  const texts = new Map<string, string>();
  for (const { edits = [] } of MUTATIONS) {
    for (const { file, part, instead } of edits) {
      const text = texts.get(file) ?? (await readFile(new URL(`../../${file}`, import.meta.url), 'utf8'));
      expect([file, part, text.split(part).length - 1]).toEqual([file, part, 1]);
      texts.set(
        file,
        text.replace(part, () => instead),
      );
    }
  }
  expect(texts.size).toBeGreaterThan(0);
});
