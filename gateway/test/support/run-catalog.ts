import { Client } from 'pg';
import type { StatementResult } from '../../platform/result-set.ts';
import type { SqlStatement } from '../../platform/sql.ts';
import { type LoadOptions, loadSchemaCache } from '../../schema-cache/load-schema-cache.ts';
import type { SchemaCache } from '../../schema-cache/schema-cache.ts';

const AS_TEXT = { getTypeParser: () => (value: string) => value };

/** Loads a schema cache over a connection of its own; nothing but `schemas` need be given. */
export async function loadFrom(
  url: string,
  options: Partial<LoadOptions> & Pick<LoadOptions, 'schemas'>,
): Promise<SchemaCache> {
  return loadSchemaCache((statements) => runCatalog(url, statements), {
    naming: { schemaPrefix: undefined, rolePrefix: undefined },
    extraSearchPath: [],
    hoistedSettings: [],
    ...options,
  });
}

/** Runs catalog statements as the loader wants it: one read-only transaction, empty search path, rows as text. */
export async function runCatalog(
  url: string,
  statements: readonly SqlStatement[],
): Promise<readonly StatementResult[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query("BEGIN READ ONLY; SET LOCAL search_path = ''");
    const results: StatementResult[] = [];
    for (const { text, values } of statements) {
      const { rows, command } = await client.query<(string | null)[]>({
        text,
        values: [...values],
        rowMode: 'array',
        types: AS_TEXT,
      });
      results.push({ rows, commandTag: command });
    }
    await client.query('COMMIT');
    return results;
  } finally {
    await client.end();
  }
}
