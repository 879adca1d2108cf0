import type { TestProject } from 'vitest/node';
import { compileCacheDir } from './compile-cache.ts';
import { startTestPostgres } from './postgres.ts';

/**
 * One PostgreSQL for the whole run. A run of unit tests alone starts none. With CASCATA_TEST_POSTGRES_URL (superuser DSN) that
 * server is used and none is started.
 */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  // Workers, and what they start with their own environment.
  process.env.NODE_COMPILE_CACHE ??= compileCacheDir();
  const existing = process.env.CASCATA_TEST_POSTGRES_URL;
  if (existing !== undefined && existing !== '') {
    project.provide('postgresUrl', existing);
    return undefined;
  }
  if (project.vitest.projects.every(({ name }) => name === 'unit')) return undefined;
  const server = await startTestPostgres();
  project.provide('postgresUrl', server.url);
  return () => server.stop();
}
