import type { ClientBase } from 'pg';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import { sqlStateOf } from '../connections.ts';
import { JobError } from '../jobs/job.ts';

/** Where projects' SQL finds extensions: it is on the search path of migrations and requests. */
export const EXTENSIONS_SCHEMA = 'extensions';

type Queryable = Pick<ClientBase, 'query'>;

export interface InstalledExtension {
  readonly name: string;
  readonly version: string;
  readonly schema: string;
}

/** What a server says of an extension whose files it has. */
export interface AvailableExtension {
  readonly name: string;
  /** What `CREATE EXTENSION` gives without a version. */
  readonly version: string;
  readonly versions: readonly string[];
}

export async function installedExtensions(db: Queryable): Promise<readonly InstalledExtension[]> {
  const { rows } = await db.query<InstalledExtension>(
    `SELECT e.extname AS name, e.extversion AS version, n.nspname AS schema
     FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY e.extname`,
  );
  return rows;
}

export async function availableExtensions(
  db: Queryable,
  names: readonly string[],
): Promise<readonly AvailableExtension[]> {
  const { rows } = await db.query<AvailableExtension>(
    `SELECT a.name, a.default_version AS version,
       ARRAY(SELECT v.version FROM pg_catalog.pg_available_extension_versions v WHERE v.name = a.name ORDER BY v.version) AS versions
     FROM pg_catalog.pg_available_extensions a WHERE a.name = ANY ($1::text[]) ORDER BY a.name`,
    [names],
  );
  return rows;
}

/** `CREATE EXTENSION` waits for whoever creates or drops it in the same database; beyond this something is stuck. */
const LOCK_TIMEOUT_MS = 20_000;

/** Makes an extension with what it requires, in the schema that projects look into. Does nothing where it is. @throws {JobError} */
export async function createExtension(
  db: Queryable,
  { name, version }: { name: string; version: string | undefined },
): Promise<void> {
  const { rows } = await db.query<{ schema: string | null }>(
    `SELECT v.schema FROM pg_catalog.pg_available_extension_versions v
     JOIN pg_catalog.pg_available_extensions a USING (name)
     WHERE v.name = $1 AND v.version = COALESCE($2, a.default_version)`,
    [name, version ?? null],
  );
  // Some have a schema of their own that nothing may change.
  const schema = rows[0]?.schema ?? EXTENSIONS_SCHEMA;
  const isOurs = schema === EXTENSIONS_SCHEMA;
  await reportSqlErrors(`The extension '${name}' could not be created`, async () => {
    await db.query(`
      SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS};
      ${isOurs ? `CREATE SCHEMA IF NOT EXISTS ${EXTENSIONS_SCHEMA}; GRANT USAGE ON SCHEMA ${EXTENSIONS_SCHEMA} TO PUBLIC;` : ''}
      CREATE EXTENSION IF NOT EXISTS ${quoteIdent(name)} ${isOurs ? `SCHEMA ${EXTENSIONS_SCHEMA}` : ''}
        ${version === undefined ? '' : `VERSION ${quoteIdent(version)}`} CASCADE;
      ${isOurs ? '' : `GRANT USAGE ON SCHEMA ${quoteIdent(schema)} TO PUBLIC;`}`);
  });
}

/** @throws {JobError} when there is no way from the version that is there to this one */
export async function updateExtension(
  db: Queryable,
  { name, version }: { name: string; version: string },
): Promise<void> {
  await reportSqlErrors(`The extension '${name}' could not be brought to version ${version}`, async () => {
    await db.query(
      `SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}; ALTER EXTENSION ${quoteIdent(name)} UPDATE TO ${quoteIdent(version)}`,
    );
  });
}

/** Drops an extension where it is. @throws {JobError} `2BP01` while something depends on it and `isCascade` is not set */
export async function dropExtension(
  db: Queryable,
  { name, isCascade }: { name: string; isCascade: boolean },
): Promise<void> {
  await reportSqlErrors(
    `The extension '${name}' cannot be withdrawn`,
    async () => {
      await db.query(
        `SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}; DROP EXTENSION IF EXISTS ${quoteIdent(name)} ${isCascade ? 'CASCADE' : 'RESTRICT'}`,
      );
    },
    { '2BP01': 'Something depends on it: drop that first, or ask with "cascade": true, which drops it too' },
  );
}

/** Runs a catalogue's smoke query. @throws {JobError} when it fails or is not true */
export async function runSmoke(
  db: Queryable,
  { name, schema, smoke }: { name: string; schema: string; smoke: string },
): Promise<void> {
  const failed = `The extension '${name}' is there but does not work`;
  await db.query(`SET search_path = ${quoteIdent(schema)}, ${EXTENSIONS_SCHEMA}, pg_catalog`);
  const { rows } = await reportSqlErrors(failed, () => db.query({ text: smoke, rowMode: 'array' }));
  if (rows.length !== 1 || rows[0]?.[0] !== true)
    throw new JobError(`${failed}: ${smoke} is not true`, { code: 'smoke' });
}

/** SQLSTATE classes that trying again does mend: connections, resources, an operator's doing, the system. */
const PASSING = /^(?:08|53|57|58|40|XX|25)/;

async function reportSqlErrors<T>(
  message: string,
  work: () => Promise<T>,
  hints: Readonly<Record<string, string>> = {},
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = sqlStateOf(error);
    if (code === undefined || PASSING.test(code) || !(error instanceof Error)) throw error;
    const details = 'detail' in error && typeof error.detail === 'string' ? error.detail : undefined;
    const theirs = 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined;
    throw new JobError(`${message}: ${error.message}`, {
      code,
      details,
      hint: hints[code] ?? theirs,
      cause: error,
    });
  }
}
