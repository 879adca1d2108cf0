import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { ARCHIVE_PROBLEMS } from '../../../archive/archive-error.ts';
import { REFUSALS } from '../../../caf/refused.ts';
import { withHostileTable } from '../../support/hostile/hostile-table.ts';

const DOCUMENT = new URL('../../../../docs/caf.md', import.meta.url);

test('docs/caf.md tells of every hostile archive that was tried: WRITE_DOCS=1 writes it', async () => {
  const document = await readFile(DOCUMENT, 'utf8');
  const expected = withHostileTable(document);
  if (process.env.WRITE_DOCS !== undefined) await writeFile(DOCUMENT, expected);
  else expect(document).toBe(expected);
});

test.each([...ARCHIVE_PROBLEMS, ...REFUSALS])('docs/caf.md explains %s', async (code) => {
  expect(await readFile(DOCUMENT, 'utf8')).toContain(`\`${code}\``);
});
