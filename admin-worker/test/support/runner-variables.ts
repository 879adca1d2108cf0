import type { AdminHarness } from './admin-harness.ts';

/** What a runner in a process of its own has to be told to work for the harness. */
export function runnerVariables(admin: AdminHarness): Readonly<Record<string, string>> {
  return {
    NODE_ENV: 'test',
    ADMIN_TOKEN: admin.adminToken,
    CASCATA_MASTER_KEY: admin.masterKey.reveal(),
    CONTROL_DATABASE_URL: admin.controlUrl,
    TEST_SHARED_DATABASE: admin.sharedDatabase,
  };
}
