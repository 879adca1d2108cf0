import pg from 'pg';
import { expect, test } from 'vitest';
import { createTestDatabase } from '../../../test/support/database.ts';
import type { SqlStatement } from '../../platform/sql.ts';
import { CATALOG_SETTINGS } from '../../schema-cache/catalog-settings.ts';
import { catalogStatements } from '../../schema-cache/load-schema-cache.ts';
import { databaseSettingsQuery } from '../../schema-cache/queries/database-settings.sql.ts';

/** The plan that every reading gets, whatever its schemas. */
async function genericPlan(client: pg.Client, { text, values }: SqlStatement): Promise<string> {
  await client.query(`PREPARE reading AS ${text}`);
  const nulls = values.map(() => 'NULL').join(', ');
  const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN EXECUTE reading (${nulls})`);
  await client.query('DEALLOCATE reading');
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

test('no query of a reading goes through a whole catalog, however many tenants are in it', async () => {
  const database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    for (const [name, value] of CATALOG_SETTINGS)
      await client.query('SELECT set_config($1, $2, false)', [name, value]);
    const statements = [
      ...catalogStatements({
        naming: { schemaPrefix: 'acme', rolePrefix: 'acme' },
        schemas: ['public'],
        extraSearchPath: ['public'],
        hoistedSettings: [],
      }),
      databaseSettingsQuery('acme_owner'),
    ];
    const scans: string[] = [];
    for (const statement of statements) {
      const plan = await genericPlan(client, statement);
      expect(plan).toContain('Index');
      scans.push(...(plan.match(/Seq Scan on \S+/g) ?? []));
    }
    expect(scans).toEqual([]);
  } finally {
    await client.end();
    await database.drop();
  }
});
