import { fileURLToPath, pathToFileURL } from 'node:url';
import { runner } from 'node-pg-migrate';
import type { ClientBase } from 'pg';

/**
 * Brings the schema `control` up to date.
 *
 * @param client connection to the control database; the caller keeps two processes from doing this at once
 */
export async function migrateControlSchema(client: ClientBase): Promise<void> {
  await runner({
    dbClient: client,
    dir: fileURLToPath(new URL('./migrations', import.meta.url)),
    // Source maps and declarations may lie beside emitted JavaScript.
    ignorePattern: String.raw`.*\.(?:map|d\.ts)`,
    migrationLoaderStrategies: [{ extensions: ['.ts', '.js'], loader: importAll }],
    direction: 'up',
    migrationsTable: 'schema_migrations',
    migrationsSchema: 'control',
    createMigrationsSchema: true,
    singleTransaction: true,
    noLock: true,
    logger: { info() {}, warn() {}, error() {}, debug() {} },
  });
  await client.query('SET search_path TO DEFAULT');
}

/** Node imports both the TypeScript source and the emitted JavaScript itself. */
async function importAll(filePaths: readonly string[]) {
  const units = [];
  for (const path of filePaths) {
    const actions: Record<string, unknown> = await import(pathToFileURL(path).href);
    units.push({ id: path, filePaths: [path], actions });
  }
  return units;
}
