import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, runSql, type TestDatabase } from '../../../test/support/database.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { ask } from './support/ask.ts';
import { untilTrue } from './support/edge.ts';

let database: TestDatabase;
let gateway: TestGateway;

beforeAll(async () => {
  database = await createTestDatabase({
    sql: 'CREATE TABLE public.notes AS SELECT n AS id FROM generate_series(1, 9) n',
  });
  gateway = await startGateway({
    databaseUrl: database.url,
    postgrest: { 'db-anon-role': 'postgres' },
    jwtSecret: 'secret-of-schema-reload-with-32-characters',
  });
  expect((await get('/notes')).status).toBe(200);
  await untilTrue(() => told('schema-listener').length > 0);
});

afterAll(async () => {
  await gateway?.close();
  await database?.drop();
});

const get = (path: string, headers: Record<string, string> = {}) =>
  ask(gateway, `/rest/v1${path}`, { headers });
const told = (kind: string) => gateway.observations.filter((observation) => observation.kind === kind);
const loads = () => told('schema-cache-loaded').length;

describe('X4: NOTIFY pgrst in a tenant’s own database', () => {
  test.each(['reload schema', 'reload config', ''])('with %j reads the picture again', async (payload) => {
    const before = loads();
    await runSql(database.url, `SELECT pg_notify('pgrst', '${payload}')`);
    await untilTrue(() => loads() > before);
  });

  test('makes a changed column known without a request that misses it', async () => {
    await runSql(
      database.url,
      `ALTER TABLE public.notes ADD COLUMN body text; NOTIFY pgrst, 'reload schema'`,
    );
    await untilTrue(async () => (await get('/')).text.includes('"body"'));
  });

  test('makes changed settings known', async () => {
    await runSql(
      database.url,
      `ALTER ROLE postgres IN DATABASE ${database.name} SET pgrst.db_max_rows = '4'; NOTIFY pgrst, 'reload config'`,
    );
    await untilTrue(async () => {
      const { json } = await get('/notes');
      return Array.isArray(json) && json.length === 4;
    });
  });

  test('fifty at once cost a few readings', async () => {
    const before = loads();
    for (let i = 0; i < 50; i++) await runSql(database.url, `SELECT pg_notify('pgrst', '')`);
    await untilTrue(() => loads() > before);
    expect(loads() - before).toBeLessThan(10);
  });

  test('goes on after the connection was lost', async () => {
    const connected = told('schema-listener').length;
    await runSql(
      database.url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'cascata-listen-pgrst'`,
    );
    await untilTrue(() => told('schema-listener').length >= connected + 2);
    await runSql(database.url, `CREATE TABLE public.later (id int); NOTIFY pgrst`);
    await untilTrue(async () => (await get('/')).text.includes('"/later"'));
  });
});
