import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { POSTGREST_SETTING_NAMES } from '../../../registry/postgrest-settings.ts';

const docs = await readFile(new URL('../../../../docs/postgrest-settings.md', import.meta.url), 'utf8');

test('every setting of a tenant has its row in docs/postgrest-settings.md, and no other has one', () => {
  const rows = [...docs.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
  expect(rows.sort()).toEqual([...POSTGREST_SETTING_NAMES].sort());
});
