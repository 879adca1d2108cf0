import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../launcher/embedded-postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Superuser DSN (database `postgres`) of the server all tests of a run share. */
    postgresUrl: string;
  }
}

/** A throw-away PostgreSQL. `stop()` also removes its files. */
export interface TestPostgres {
  /** Superuser DSN of the database `postgres`. */
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Starts a server of the caller's own, for tests that stop it or change its settings; others use `createTestDatabase`.
 *
 * @param options.settings server settings on top of the ones that trade durability for speed
 */
export async function startTestPostgres(
  options: { settings?: Readonly<Record<string, string>> } = {},
): Promise<TestPostgres> {
  const directory = await mkdtemp(join(tmpdir(), 'cascata-test-'));
  let server: EmbeddedPostgres;
  try {
    server = await startEmbeddedPostgres({
      clusterDir: join(directory, 'cluster'),
      auth: { kind: 'trust' },
      port: 0,
      settings: {
        max_connections: '300',
        fsync: 'off',
        synchronous_commit: 'off',
        full_page_writes: 'off',
        autovacuum: 'off',
        wal_level: 'logical',
        ...options.settings,
      },
    });
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  return {
    url: server.url('postgres').reveal(),
    port: server.port,
    async stop() {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
