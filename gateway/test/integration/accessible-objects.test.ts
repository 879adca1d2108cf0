import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { accessibleObjectsStatement, parseAccessibleObjects } from '../../query/accessible-objects.sql.ts';

const ROLE = 'accessible_objects_reader';

const SQL = `
  CREATE ROLE ${ROLE};
  CREATE SCHEMA api;
  CREATE SCHEMA closed;
  CREATE SCHEMA other;
  GRANT USAGE ON SCHEMA api, other TO ${ROLE};
  CREATE TABLE api.readable (id integer);
  CREATE TABLE api.writable (id integer);
  CREATE TABLE api.one_column (id integer, secret text);
  CREATE TABLE api.untouchable (id integer);
  CREATE VIEW api.view AS SELECT 1 AS one;
  CREATE SEQUENCE api.sequence;
  CREATE TABLE closed.readable (id integer);
  CREATE TABLE other.readable (id integer);
  CREATE TABLE api.owned (id integer);
  GRANT SELECT ON api.readable, api.view, closed.readable, other.readable TO ${ROLE};
  GRANT USAGE ON SEQUENCE api.sequence TO ${ROLE};
  GRANT INSERT ON api.writable TO ${ROLE};
  GRANT SELECT (id) ON api.one_column TO ${ROLE};
  GRANT TRUNCATE ON api.untouchable TO ${ROLE};
  ALTER TABLE api.owned OWNER TO ${ROLE};
  CREATE FUNCTION api.open() RETURNS integer LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION api.open(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION api.shut() RETURNS integer LANGUAGE sql AS 'SELECT 1';
  REVOKE EXECUTE ON FUNCTION api.shut() FROM PUBLIC;
  CREATE PROCEDURE api.procedure() LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION closed.open() RETURNS integer LANGUAGE sql AS 'SELECT 1';
`;

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase({ sql: SQL });
});

afterAll(async () => {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(`DROP OWNED BY ${ROLE}; DROP ROLE ${ROLE}`);
  await client.end();
  await database.drop();
});

test('a role may use what it has a right to, in schemas it may enter', async () => {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query(`SET ROLE ${ROLE}; SET search_path = ''`);
    const { text, values } = accessibleObjectsStatement(['api', 'closed']);
    const { rows } = await client.query<string[]>({ text, values: [...values], rowMode: 'array' });
    const { relations, routines } = parseAccessibleObjects({ rows, commandTag: 'SELECT 1' });
    expect([...relations].sort()).toEqual([
      'api\0one_column',
      'api\0owned',
      'api\0readable',
      'api\0view',
      'api\0writable',
    ]);
    expect([...routines]).toEqual(['api\0open']);
  } finally {
    await client.end();
  }
});

test('an answer of another form is an internal error', () => {
  expect(() => parseAccessibleObjects(undefined)).toThrow(expect.objectContaining({ code: 'PGRSTX00' }));
});
