import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase({
    sql: 'CREATE TABLE note (body text); INSERT INTO note VALUES ($$here$$)',
  });
});

afterAll(() => database.drop());

test('a test database is a fresh one on PostgreSQL 17, with the given SQL run in it', async () => {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    const { rows } = await client.query(
      `SELECT current_setting('server_version_num')::int / 10000 AS major, current_database() AS name, body FROM note`,
    );
    expect(rows).toEqual([{ major: 17, name: database.name, body: 'here' }]);
  } finally {
    await client.end();
  }
});
