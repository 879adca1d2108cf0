import { expect, test } from 'vitest';
import type { StatementResult } from '../../../platform/result-set.ts';
import { buildSchemaCache } from '../../../schema-cache/load-schema-cache.ts';
import { relationKey } from '../../../schema-cache/schema-cache.ts';

const RELATIONS = 10_000;
const VIEWS = 2_000;
const ROUTINES = 3_000;

type Row = readonly (string | null)[];

/** Rows of one statement that tell how many of them were looked at. */
class CountedRows extends Array<Row> {
  static seen = 0;

  override *[Symbol.iterator](): ArrayIterator<Row> {
    for (let i = 0; i < this.length; i++) {
      CountedRows.seen++;
      yield this[i]!;
    }
  }
}

function statement(count: number, row: (i: number) => Row): StatementResult {
  const rows = new CountedRows();
  for (let i = 0; i < count; i++) rows.push(row(i));
  return { rows, commandTag: `SELECT ${count}` };
}

const viewOver = (table: number) =>
  `({QUERY :targetList ({TARGETENTRY :expr {VAR :varno 1} :resno 1 :resname id :ressortgroupref 0 :resorigtbl ${table} :resorigcol 1 :resjunk false}) :override 0})`;

/** What the catalog queries answer for a schema of 8,000 tables in a chain of foreign keys, 2,000 views over them, 3,000 functions. */
function bigCatalog(): readonly StatementResult[] {
  const oid = (i: number) => String(20_000 + i);
  const tables = RELATIONS - VIEWS;
  return [
    statement(1, () => ['acme', null, '170010']),
    statement(RELATIONS, (i) => {
      const kind = i < tables ? 'r' : 'v';
      const columns: Row = ['["id", "parent"]', '{23,23}', '{-1,-1}', '{1,0}', null, null];
      return [oid(i), 'acme', `rel_${i}`, kind, '28', null, ...columns];
    }),
    statement(1, () => ['23', '-1', 'integer', 'integer', null, null, 'f', null, null]),
    statement(tables * 2, (n) => {
      const i = n >> 1;
      if (n % 2 === 0) return ['p', `rel_${i}_pkey`, oid(i), '0', '{1}', null];
      return ['f', `rel_${i}_parent_fkey`, oid(i), oid(Math.max(0, i - 1)), '{2}', '{1}'];
    }),
    statement(VIEWS, (i) => [oid(tables + i), viewOver(20_000 + i)]),
    statement(ROUTINES, (i) => {
      const params = '[["term", "text", "text", true, false]]';
      const returns: Row = ['f', 't', 'integer', 'int4', 'b', '0', 'f'];
      return ['acme', `fn_${i}`, null, params, ...returns, 's', 'f', null, null, 'f', null];
    }),
    statement(0, () => []),
    statement(0, () => []),
    statement(0, () => []),
  ];
}

const OPTIONS = {
  naming: { schemaPrefix: 'acme', rolePrefix: 'acme' },
  schemas: ['public'],
  extraSearchPath: [],
  hoistedSettings: [],
};

test('a catalog of 10,000 relations is made into a picture in small slices, between which others have their turn', async () => {
  const results = bigCatalog();
  CountedRows.seen = 0;
  let most = 0;
  let turns = 0;
  let isBuilding = true;
  const watching = (async () => {
    let before = 0;
    while (isBuilding) {
      await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, CountedRows.seen - before);
      before = CountedRows.seen;
      turns++;
    }
  })();
  const cache = await buildSchemaCache(results, OPTIONS);
  isBuilding = false;
  await watching;
  const rows = results.reduce((sum, result) => sum + result.rows.length, 0);
  expect(cache.relations.size).toBe(RELATIONS);
  expect(CountedRows.seen).toBeGreaterThanOrEqual(rows);
  // A row is looked at twice at most: made into something, and weighed.
  expect(most).toBeLessThanOrEqual(1_000);
  expect(turns).toBeGreaterThanOrEqual(rows / 1_000);
});

test('columns and relationships are worked out for the relations that are asked for, and weigh from then on', async () => {
  const cache = await buildSchemaCache(bigCatalog(), OPTIONS);
  const atFirst = cache.sizeBytes;
  const key = relationKey('public', 'rel_7');
  expect([...cache.relations.get(key)!.columns.keys()]).toEqual(['id', 'parent']);
  const withColumns = cache.sizeBytes;
  expect(withColumns).toBeGreaterThan(atFirst);
  const relationships = cache.relationships.get(key)!;
  // The table it refers to, the one that refers to it, and the view over the first; the view over the other hides its key.
  expect(relationships.map(({ target }) => target.name)).toEqual(['rel_6', 'rel_8', 'rel_8006']);
  const withRelationships = cache.sizeBytes;
  expect(withRelationships).toBeGreaterThan(withColumns);
  expect(cache.relationships.get(key)).toBe(relationships);
  expect(cache.relations.get(key)!.columns).toBe(cache.relations.get(key)!.columns);
  expect(cache.sizeBytes).toBe(withRelationships);
  // All the rest is still as it was read.
  expect(withRelationships - atFirst).toBeLessThan(atFirst / 1_000);
});
