import type { ClientBase, Pool } from 'pg';
import type { Secret } from '../../gateway/registry/secrets.ts';
import { withClient, withDatabase } from '../connections.ts';

/** Databases of our cluster in which any of these extensions is created: every one is asked. */
export async function databasesWith(
  db: Pick<ClientBase | Pool, 'query'>,
  { clusterUrl, extensions }: { clusterUrl: Secret; extensions: readonly string[] },
): Promise<readonly string[]> {
  const { rows } = await db.query<{ datname: string }>(
    'SELECT datname FROM pg_database WHERE datallowconn ORDER BY datname',
  );
  const found: string[] = [];
  for (const { datname } of rows) {
    const url = withDatabase(clusterUrl, datname);
    const isUsed = await withClient({ url, applicationName: 'cascata-extensions' }, async (client) => {
      const { rowCount } = await client.query(
        'SELECT FROM pg_extension WHERE extname = ANY ($1::text[]) LIMIT 1',
        [extensions],
      );
      return rowCount !== 0;
    });
    if (isUsed) found.push(datname);
  }
  return found;
}
