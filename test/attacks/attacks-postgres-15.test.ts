import { existsSync } from 'node:fs';
import { afterAll, describe } from 'vitest';
import type { TestPostgres } from '../support/postgres.ts';
import { startSystemPostgres } from '../support/system-postgres.ts';
import { attackOn } from './run-attacks.ts';

/** Debian's place; another one by ATTACKS_POSTGRES_BIN. */
const BINARIES = process.env.ATTACKS_POSTGRES_BIN ?? '/usr/lib/postgresql/15/bin';

describe.skipIf(!existsSync(BINARIES))(
  `an older PostgreSQL (skipped without ${BINARIES}: set ATTACKS_POSTGRES_BIN)`,
  () => {
    let server: TestPostgres | undefined;
    afterAll(() => server?.stop());
    attackOn(`the PostgreSQL in ${BINARIES}`, async () => {
      server = await startSystemPostgres(BINARIES);
      return { serverUrl: server.url };
    });
  },
);
