import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, runSql, type TestDatabase } from '../../../test/support/database.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { ask } from './support/ask.ts';

let database: TestDatabase;
let gateway: TestGateway;

const counting = (name: string, volatility: string): string => `
  CREATE FUNCTION ${name}(step integer DEFAULT 1) RETURNS integer LANGUAGE plpgsql ${volatility} AS $$
  BEGIN
    RETURN set_config('app.runs', (coalesce(nullif(current_setting('app.runs', true), ''), '0')::int + step)::text, true);
  END $$;`;

beforeAll(async () => {
  database = await createTestDatabase();
  await runSql(database.url, counting('count_stable', 'STABLE') + counting('count_volatile', 'VOLATILE'));
  gateway = await startGateway({
    databaseUrl: database.url,
    postgrest: { 'db-anon-role': 'postgres' },
    jwtSecret: 'a-secret-of-the-calling-tests-of-32-characters',
  });
});

afterAll(async () => {
  await gateway?.close();
  await database?.drop();
});

test.each([
  ['GET', '/rpc/count_stable'],
  ['GET', '/rpc/count_stable?step=1'],
  ['POST', '/rpc/count_stable'],
  ['POST', '/rpc/count_volatile'],
])('C6: %s %s runs the function once', async (method, path) => {
  const headers = { 'content-type': 'application/json' };
  const answer = await ask(gateway, `/rest/v1${path}`, {
    method,
    headers,
    ...(method === 'POST' ? { body: '{"step":1}' } : {}),
  });
  expect([answer.status, answer.text]).toEqual([200, '1']);
});
