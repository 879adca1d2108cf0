import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { usedExtensions } from '../../caf/database-facts.ts';
import { neededExtensions } from '../../ejection/trusted-extensions.ts';

/** Each is used in another way, the fourth by being there. */
const NEEDED = [
  'btree_gist',
  'citext',
  'cube',
  'earthdistance',
  'fuzzystrmatch',
  'hstore',
  'intarray',
  'isn',
  'ltree',
  'moddatetime',
  'pg_trgm',
  'pgcrypto',
  'tablefunc',
  'tsm_system_rows',
  'unaccent',
  'uuid-ossp',
];
const SQL = `
  CREATE SCHEMA acme; CREATE SCHEMA other; CREATE SCHEMA extensions;
  ${[...NEEDED, 'seg', 'lo'].map((name) => `CREATE EXTENSION "${name}" SCHEMA ${name === 'earthdistance' ? 'acme CASCADE' : 'extensions'};`).join('\n')}
  SET search_path = acme, extensions;
  CREATE TABLE things (
    id uuid PRIMARY KEY DEFAULT uuid_generate_v4(), label citext, tags extensions.hstore[], at timestamptz, n int,
    CHECK (soundex(label::text) <> 'x'), EXCLUDE USING gist (n WITH =));
  CREATE INDEX ON things USING gin (lower(label::text) gin_trgm_ops);
  CREATE TRIGGER touched BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION moddatetime(at);
  CREATE POLICY few ON things USING (encode(digest(id::text, 'sha1'), 'hex') <> '');
  CREATE VIEW plain AS SELECT unaccent(label::text) FROM things;
  CREATE FUNCTION by_path(path ltree) RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE DOMAIN book AS isbn;
  CREATE TYPE box AS (corner cube);
  CREATE RULE quiet AS ON DELETE TO things WHERE OLD.n = ANY (sort(ARRAY[1])) DO INSTEAD NOTHING;
  CREATE MATERIALIZED VIEW some_of AS SELECT 1 FROM things TABLESAMPLE SYSTEM_ROWS (1);
  CREATE FUNCTION crossed() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT count(*)::int FROM normal_rand(1, 0, 1); END;
  -- One is used elsewhere, one by nobody.
  CREATE TABLE other.things (s extensions.seg);`;

let database: TestDatabase;
let client: Client;
beforeAll(async () => {
  database = await createTestDatabase({ sql: SQL });
  client = new Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await client?.end();
  await database?.drop();
});

test('an extension is needed by whatever of a tenant uses it: types and arrays of them, defaults, checks, indexes, triggers, policies, views, rules, functions', async () => {
  const names = (found: readonly { readonly name: string }[]) => found.map(({ name }) => name).toSorted();
  expect(names(await neededExtensions(client, ['acme']))).toEqual(NEEDED);
  expect(names(await usedExtensions(client, ['acme']))).toEqual(NEEDED);
});
