import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, runSql, type TestDatabase } from '../../../test/support/database.ts';
import { ChangeFeed, publishKeysSql, withKeys } from '../../ejection/change-feed.ts';
import { readCanonically } from '../../ejection/content-hash.ts';
import { VerifyAhead } from '../../ejection/verify-ahead.ts';

/** Keys of one and two columns, of types whose texts depend on settings; one table whose rows have none; and a cast by which all rows would look the same. */
const TABLES = `
  CREATE SCHEMA s;
  CREATE TABLE s.plain (id bigint PRIMARY KEY, text text);
  CREATE FUNCTION s.trap(s.plain) RETURNS text LANGUAGE sql AS $$ SELECT 'the same' $$;
  CREATE CAST (s.plain AS text) WITH FUNCTION s.trap(s.plain);
  CREATE TABLE s."Two ""Parts""" (at timestamptz, "The Name" varchar(20), amount numeric, PRIMARY KEY ("The Name", at));
  CREATE TABLE s.keyless (n int);
  ALTER TABLE s.keyless REPLICA IDENTITY FULL;
  INSERT INTO s.plain SELECT n, 'text ' || n FROM generate_series(1, 2000) n;
  INSERT INTO s."Two ""Parts""" SELECT '2026-01-01'::timestamptz + n * interval '1 hour', 'name ' || n % 7, n FROM generate_series(1, 300) n;
  INSERT INTO s.keyless SELECT generate_series(1, 50);`;

const NAME = 'cascata_verify_test';
let databases: TestDatabase[];
let clients: pg.Client[];
beforeEach(async () => {
  databases = [await createTestDatabase({ sql: TABLES }), await createTestDatabase({ sql: TABLES })];
  clients = [];
});
afterEach(async () => {
  for (const client of clients) await client.end();
  for (const database of databases) await database.drop();
});

const write = (at: 'source' | 'target' | 'both', sql: string) =>
  Promise.all(
    databases
      .filter((_, index) => at === 'both' || index === (at === 'source' ? 0 : 1))
      .map(({ url }) => runSql(url, sql)),
  );

/** What a subscription does is done by `applied`, when the place that follows is waited for. */
async function begin(applied: (wait: number) => Promise<unknown>): Promise<VerifyAhead> {
  const [source, target, follower] = await Promise.all(
    [0, 1, 0].map(async (index) => {
      const client = new pg.Client({ connectionString: databases[index]!.url });
      clients.push(client);
      await client.connect();
      await readCanonically(client);
      return client;
    }),
  );
  const table = (name: string) => ({
    schema: 's',
    name,
    isPartitioned: false,
    isUnlogged: false,
    hasReplicaIdentity: true,
    bytes: 5_000_000,
  });
  const tables = await withKeys(source!, [table('plain'), table('Two "Parts"'), table('keyless')]);
  await source!.query(publishKeysSql(NAME, tables, 17));
  const feed = await ChangeFeed.begin(follower!, { name: NAME, tables });
  let waits = 0;
  return VerifyAhead.begin(
    { source: source!, target: target! },
    {
      tables,
      by: 'contents',
      feed,
      signal: AbortSignal.timeout(30_000),
      untilApplied: async () => void (await applied(++waits)),
    },
  );
}

test('rows that change while they are compared are looked at again, and only they', async () => {
  const late = `
    UPDATE s.plain SET text = 'changed' WHERE id BETWEEN 10 AND 20; DELETE FROM s.plain WHERE id = 30;
    UPDATE s.plain SET id = 5000 WHERE id = 40; INSERT INTO s.plain VALUES (6000, NULL);
    UPDATE s."Two ""Parts""" SET amount = 0.5 WHERE amount = 7; DELETE FROM s."Two ""Parts""" WHERE amount = 8;`;
  const ahead = await begin(async (wait) => {
    // The place that follows is behind when it is read for the first time.
    if (wait === 1) await write('source', late);
    if (wait === 2) await write('target', late);
  });
  expect(ahead.describe()).toBe('compared ahead; left to look at: 17 rows');
  // At rest, and the follower has all: what is left is the same.
  await write('target', late.replace('INSERT INTO', 'DELETE FROM s.plain WHERE id = 6000; INSERT INTO'));
  await write('both', 'DELETE FROM s.plain WHERE id = 1; INSERT INTO s.keyless VALUES (51)');
  await ahead.readLastChanges();
  expect(await ahead.finish()).toEqual({ tables: 3, rows: 1999 + 299 + 51 });
});

test.each([
  [
    'a row of another content',
    `UPDATE s.plain SET text = 'other' WHERE id = 1500`,
    /^"s"."plain" has the same number/,
  ],
  [
    'a row that is missing',
    `DELETE FROM s."Two ""Parts""" WHERE amount = 100`,
    /^"s"."Two ""Parts""" has 299 rows/,
  ],
])('%s that no write explains is found before writes are held', async (_, sql, expected) => {
  await write('target', sql);
  await expect(
    begin(() => write('source', `UPDATE s.plain SET text = 'busy' WHERE id = 3`)),
  ).rejects.toMatchObject({ code: 'verify', details: expect.stringMatching(expected) });
});

test('what the last writes have made different is found at the end', async () => {
  const ahead = await begin(async () => undefined);
  await write('source', `UPDATE s.plain SET text = 'late' WHERE id = 7; TRUNCATE s.keyless`);
  await ahead.readLastChanges();
  await expect(ahead.finish()).rejects.toMatchObject({
    details: '"s"."plain" differs in 1 rows\n"s"."keyless" has 50 rows instead of 0',
  });
});
