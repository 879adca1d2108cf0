import { access, chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
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
 * @param options.onLogLine gets each line of the server's log
 * @param options.binaries directory with `bin/postgres` instead of the embedded one
 */
export async function startTestPostgres(
  options: {
    settings?: Readonly<Record<string, string>>;
    binaries?: string;
    onLogLine?: (line: string) => void;
  } = {},
): Promise<TestPostgres> {
  const directory = await mkdtemp(join(tmpdir(), 'cascata-test-'));
  // initdb before version 16 changes into other directories and does not find back into one it cannot see from the root.
  await chmod(directory, 0o755);
  let server: EmbeddedPostgres;
  try {
    server = await startEmbeddedPostgres({
      clusterDir: join(directory, 'cluster'),
      auth: { kind: 'trust' },
      port: 0,
      onLogLine: options.onLogLine,
      ...(options.binaries === undefined
        ? {}
        : { installation: { binaries: options.binaries, localeArgs: ['--locale=C.UTF-8'] } }),
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

const SYSTEM_DIR = '/usr/lib/postgresql';

/**
 * The newest PostgreSQL of this machine that has dump tools; the embedded one has none.
 *
 * @throws {Error} that says what to install
 */
export async function systemPostgresBinaries(): Promise<string> {
  const majors = (await readdir(SYSTEM_DIR).catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const major of majors.toSorted((a, b) => Number(b) - Number(a))) {
    const directory = join(SYSTEM_DIR, major);
    const programs = ['postgres', 'initdb', 'pg_dump', 'pg_restore'].map((name) =>
      access(join(directory, 'bin', name)),
    );
    if ((await Promise.allSettled(programs)).every(({ status }) => status === 'fulfilled')) return directory;
  }
  throw new Error(
    `These tests need a PostgreSQL with pg_dump in ${SYSTEM_DIR}/<major>: apt install postgresql`,
  );
}
