import { expect, test } from 'vitest';
import { BENCH_TENANT, SCENARIOS } from '../../bench/scenarios.ts';
import type { SqlStatement } from '../../gateway/platform/sql.ts';
import { aSchemaCache } from '../../gateway/test/support/schema-cache-builder.ts';
import { sqlFor } from '../../gateway/test/support/sql-for.ts';

/** As `FIXTURE_SQL` makes them. */
const PICTURE = aSchemaCache({
  tables: [
    { name: 'categories', columns: { id: 'bigint', name: 'text' }, primaryKey: ['id'] },
    {
      name: 'items',
      columns: {
        id: 'bigint',
        name: 'text',
        price: 'numeric(10,2)',
        category_id: 'bigint',
        is_active: 'boolean',
        created_at: 'timestamp with time zone',
      },
      primaryKey: ['id'],
      foreignKeys: { items_category_id_fkey: [['category_id'], 'categories', ['id']] },
    },
    { name: 'notes', columns: { id: 'bigint', body: 'text' }, primaryKey: ['id'] },
  ],
  routines: [
    {
      name: 'add_them',
      volatility: 'immutable',
      params: ['a', 'b'].map((name) => ({
        name,
        type: 'integer',
        castType: 'integer',
        isRequired: true,
        isVariadic: false,
      })),
    },
  ],
});

test.each(SCENARIOS)('the floor runs the statement that the gateway runs: $name', (scenario) => {
  const { method, headers, requests, floor } = scenario;
  const [{ path, body }] = requests as [(typeof requests)[number]];
  const spec = body === undefined ? { headers } : { headers, body };
  const [{ text, values }] = sqlFor(PICTURE, `${method} ${path}`, spec) as [SqlStatement];
  expect(floor.sql).toBe(text.replaceAll('"acme"', `"${BENCH_TENANT}"`));
  const number = /\d+/.exec(path)?.[0];
  expect(floor.values.map((kind) => (kind === 'body' ? body : number))).toEqual(values);
});
