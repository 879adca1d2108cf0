import { expect, test } from 'vitest';
import { canEject } from '../../../ejection/finding.ts';
import { toolsMissing } from '../../../ejection/preflight.ts';
import { findPostgresTools, missingTools } from '../../../postgres-tools/find-tools.ts';

test('a preflight refuses where no tools can read the server, and says what to install', async () => {
  const newest = 99;
  const findings = toolsMissing(await findPostgresTools(newest), newest);
  expect(findings).toEqual([
    {
      code: 'tools_missing',
      severity: 'error',
      object: 'source',
      text: missingTools(newest),
      what_to_do: `Install the package; PostgreSQL ${newest} is what the tenant is on`,
    },
  ]);
  expect(canEject(findings)).toBe(false);
});

test('where there are tools it finds nothing', () => {
  const tools = { major: 17, pgDump: '/usr/bin/pg_dump', pgRestore: '/usr/bin/pg_restore' };
  expect(toolsMissing(tools, 17)).toEqual([]);
});
