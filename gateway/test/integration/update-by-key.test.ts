import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, runSql, type TestDatabase } from '../../../test/support/database.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { ask } from './support/ask.ts';

let database: TestDatabase;
let gateway: TestGateway;

beforeAll(async () => {
  database = await createTestDatabase();
  await runSql(
    database.url,
    `CREATE TABLE stock (shop text, item integer, amount integer, note text, PRIMARY KEY (shop, item))`,
  );
  gateway = await startGateway({
    databaseUrl: database.url,
    postgrest: { 'db-anon-role': 'postgres', 'db-tx-end': 'rollback-allow-override' },
    jwtSecret: 'a-secret-of-the-update-tests-of-32-characters',
  });
});

afterAll(async () => {
  await gateway?.close();
  await database?.drop();
});

interface Row {
  readonly shop: string;
  readonly item: number;
  readonly amount: number | null;
  readonly note: string | null;
}

const row: fc.Arbitrary<Row> = fc.record({
  shop: fc.constantFrom('a', 'b', 'it"s\\'),
  item: fc.integer({ min: 0, max: 3 }),
  amount: fc.option(fc.integer({ min: -5, max: 5 })),
  note: fc.option(fc.string({ maxLength: 4 }).filter((text) => !text.includes('\0'))),
});
const keyOf = ({ shop, item }: Row): string => JSON.stringify([shop, item]);
const rows = fc.uniqueArray(row, { selector: keyOf, maxLength: 8 });

const PREFER = 'update=by-key, return=representation, tx=commit';
const HEADERS = { 'content-type': 'application/json', prefer: PREFER };

test('each row that an object names becomes that object, no other row changes, and a key given twice changes none', async () => {
  await fc.assert(
    fc.asyncProperty(rows, fc.array(row, { maxLength: 5 }), async (before, objects) => {
      await fill(before);
      const body = JSON.stringify(objects);
      const answer = await ask(gateway, '/rest/v1/stock', { method: 'PATCH', headers: HEADERS, body });
      const named = new Map(objects.map((object) => [keyOf(object), object]));
      const isAmbiguous = named.size < objects.length;
      const changed = isAmbiguous
        ? []
        : before.flatMap((old) => named.get(keyOf(old)) ?? []).toSorted(compare);
      const after = isAmbiguous ? before : before.map((old) => named.get(keyOf(old)) ?? old);
      expect(answer.status, answer.text).toBe(isAmbiguous ? 400 : 200);
      if (!isAmbiguous) expect((answer.json as Row[]).toSorted(compare)).toEqual(changed);
      expect(((await ask(gateway, '/rest/v1/stock')).json as Row[]).toSorted(compare)).toEqual(
        after.toSorted(compare),
      );
    }),
    { numRuns: 60 },
  );
});

async function fill(content: readonly Row[]): Promise<void> {
  const prefer = { 'content-type': 'application/json', prefer: 'tx=commit' };
  await ask(gateway, '/rest/v1/stock', { method: 'DELETE', headers: prefer });
  const body = JSON.stringify(content);
  const answer = await ask(gateway, '/rest/v1/stock', { method: 'POST', headers: prefer, body });
  expect(answer.status, answer.text).toBe(201);
}

function compare(a: Row, b: Row): number {
  return keyOf(a) < keyOf(b) ? -1 : 1;
}
