import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts';
import { catalogue } from '../../catalogue/catalogue.ts';
import { createExtension, installedExtensions, runSmoke } from '../../extensions/extension-sql.ts';

/*
 * What the catalogue says was verified on the embedded server is verified here, in a database without anything: created, tried in a new session.
 */
const VERIFIED = catalogue().filter(({ verified }) =>
  verified.some(({ core }) => core.startsWith('embedded')),
);

let database: TestDatabase;
let bare: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  bare = new pg.Client({ connectionString: database.url });
  await bare.connect();
});
afterAll(async () => {
  await bare.end();
  await database.drop();
});

test('every extension of the core is among them', () => {
  const core = catalogue().filter(({ source }) => source.kind === 'core');
  expect(VERIFIED.map(({ name }) => name)).toEqual(core.map(({ name }) => name));
});

test.each(VERIFIED)('$name is created and works', async ({ name, smoke, verified }) => {
  await createExtension(bare, { name, version: undefined });
  const found = (await installedExtensions(bare)).find((extension) => extension.name === name);
  expect(found).toEqual({ name, schema: 'extensions', version: verified[0]?.version });
  const session = new pg.Client({ connectionString: database.url });
  await session.connect();
  try {
    await runSmoke(session, { name, schema: 'extensions', smoke });
  } finally {
    await session.end();
  }
});

test('a smoke query that is not true fails', async () => {
  await expect(runSmoke(bare, { name: 'x', schema: 'extensions', smoke: 'SELECT false' })).rejects.toThrow(
    'is there but does not work',
  );
});
