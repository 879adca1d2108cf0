import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { withAttackTable } from '../attacks/support/attack-table.ts';

test('docs/security.md tells of every attack there is: node test/attacks/write-report.ts writes it', async () => {
  const document = await readFile(new URL('../../docs/security.md', import.meta.url), 'utf8');
  expect(withAttackTable(document)).toBe(document);
});
