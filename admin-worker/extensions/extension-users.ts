import type { ClientBase, Pool } from 'pg';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { sqlStateOf, withClient, withDatabase } from '../connections.ts';

/** One extension in one database. */
export interface ExtensionUse {
  readonly database: string;
  readonly name: string;
  readonly version: string;
}

export interface ExtensionUses {
  readonly uses: readonly ExtensionUse[];
  /** Databases that let nobody in, so that nobody knows what they have. */
  readonly unasked: readonly string[];
}

interface Question {
  readonly clusterUrl: Secret;
  readonly extensions: readonly string[];
}

const NO_SUCH_DATABASE = '3D000';

/** Where in our cluster these extensions are created: every database is asked, templates too. */
export async function extensionUses(
  db: Pick<ClientBase | Pool, 'query'>,
  { clusterUrl, extensions }: Question,
): Promise<ExtensionUses> {
  // template0 is as initdb made it; what a DROP DATABASE that was cut short has left (-2) can only be dropped.
  const { rows } = await db.query<{ datname: string; datallowconn: boolean }>(
    `SELECT datname, datallowconn FROM pg_database WHERE datname <> 'template0' AND datconnlimit <> -2 ORDER BY datname`,
  );
  const uses: ExtensionUse[] = [];
  for (const { datname } of rows.filter(({ datallowconn }) => datallowconn)) {
    const url = withDatabase(clusterUrl, datname);
    try {
      uses.push(
        ...(await withClient({ url, applicationName: 'cascata-extensions' }, async (client) => {
          const found = await client.query<ExtensionUse>(
            `SELECT current_database() AS database, extname AS name, extversion AS version FROM pg_extension
             WHERE extname = ANY ($1::text[]) ORDER BY extname`,
            [extensions],
          );
          return found.rows;
        })),
      );
    } catch (error) {
      // Dropped since it was listed.
      if (sqlStateOf(error) !== NO_SUCH_DATABASE) throw error;
    }
  }
  return { uses, unasked: rows.filter(({ datallowconn }) => !datallowconn).map(({ datname }) => datname) };
}

/** Databases that have any of these extensions, or cannot be asked whether they do. */
export async function databasesWith(
  db: Pick<ClientBase | Pool, 'query'>,
  question: Question,
): Promise<readonly string[]> {
  const { uses, unasked } = await extensionUses(db, question);
  return [...new Set([...uses.map(({ database }) => database), ...unasked])];
}
