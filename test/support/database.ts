import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { inject } from 'vitest';
import { quoteIdent } from '../../gateway/platform/sql.ts';
import type {} from './postgres.ts';

export interface TestDatabase {
  /** Superuser DSN of the database. */
  readonly url: string;
  readonly name: string;
  /** Cuts off whoever is still connected. */
  drop(): Promise<void>;
}

/**
 * Makes a database of its own for a test file. Roles belong to the whole server: give them names that no other file uses.
 *
 * @param options.sql run in the new database
 * @param options.serverUrl superuser DSN of another server than the one of the run
 * @param options.template name of a database to copy; nobody may be connected to it
 */
export async function createTestDatabase(
  options: { sql?: string; template?: string; serverUrl?: string | undefined } = {},
): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const template = options.template ?? 'template0';
  const serverUrl = options.serverUrl ?? inject('postgresUrl');
  await runSql(serverUrl, `CREATE DATABASE ${quoteIdent(name)} TEMPLATE ${quoteIdent(template)}`);
  const url = databaseUrl(serverUrl, name);
  if (options.sql !== undefined) await runSql(url, options.sql);
  return {
    url,
    name,
    drop: () => runSql(serverUrl, `DROP DATABASE IF EXISTS ${quoteIdent(name)} WITH (FORCE)`),
  };
}

/** Runs statements (simple protocol, one implicit transaction) over a connection of their own. */
export async function runSql(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

/** The same server, another database. */
export function databaseUrl(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(database)}`;
  return changed.href;
}
