import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LOGINS, sharedUrl } from '../../../gateway/platform/derived-logins.ts';
import { executorToken, rowExecutor, rowsExecutor } from '../../../gateway/platform/executors.ts';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { migrate, startTwoTenants, type TwoTenants } from './two-tenants.ts';

/*
 * What an executor does with a statement that comes with its PREPARE, since nobody knows whether this session has it: behind a pooler each
 * transaction may be in another one.
 */

let tenants: TwoTenants;
let session: pg.Client;
let role: string;

beforeAll(async () => {
  tenants = await startTwoTenants();
  const { admin, attacker } = tenants;
  role = `${attacker}_service_role`;
  await migrate(
    admin,
    attacker,
    `CREATE SEQUENCE public.runs;
     CREATE FUNCTION public.raises(code text) RETURNS text LANGUAGE plpgsql AS $$
     BEGIN PERFORM nextval('runs'); RAISE EXCEPTION USING ERRCODE = code, MESSAGE = 'of the tenant'; END $$;`,
  );
  const { masterKey, controlUrl, sharedDatabase } = admin;
  const controlDatabaseUrl = new Secret(controlUrl);
  const url = sharedUrl(
    { masterKey, controlDatabaseUrl, sharedDatabase, pgbouncerUrl: undefined },
    LOGINS.sealed,
  );
  session = new pg.Client(url.reveal());
  await session.connect();
  await session.query(`SET search_path = ${attacker}`);
});

afterAll(async () => {
  await session?.end();
  await tenants?.stop();
});

const token = (): string => executorToken(tenants.admin.masterKey, role).reveal();

/** Rows of a statement under a name, with what prepares it. */
async function rows(name: string, text: string): Promise<readonly unknown[]> {
  const call = `SELECT c1, c2 FROM ${rowsExecutor(role)}($1, true, $2, $3, '{}')`;
  const prepare = `PREPARE ${name} AS ${text}`;
  return (
    await session.query({ text: call, values: [token(), prepare, `EXECUTE ${name}`], rowMode: 'array' })
  ).rows;
}

async function failure(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: unknown) =>
      error instanceof pg.DatabaseError ? `${error.code} ${error.message}` : String(error),
  );
}

test('a statement that the session has not got is prepared there, and stays', async () => {
  const text = 'SELECT id::text, text FROM own';
  expect(await rows('p1', text)).toEqual([['1', 'own']]);
  // What it is called by is what runs: another text under the name shows that nothing is prepared again.
  expect(await rows('p1', 'SELECT 1')).toEqual([['1', 'own']]);
  await session.query('DEALLOCATE ALL');
  expect(await rows('p1', text)).toEqual([['1', 'own']]);
});

test('one row is answered the same way', async () => {
  const call = `SELECT ${rowExecutor(role)}($1, true, 'PREPARE p2 AS SELECT NULL, id::text, $' || '1::text FROM own', 'EXECUTE p2(%L)', ARRAY[$2])`;
  for (let round = 0; round < 3; round++) {
    const { rows: answered } = await session.query({
      text: call,
      values: [token(), 'it’s'],
      rowMode: 'array',
    });
    expect(answered).toEqual([['[null, "1", false, null, null, null, null]\nit’s']]);
  }
});

test('a statement whose tables have changed under it is prepared anew', async () => {
  const text = 'SELECT * FROM own';
  expect(await rows('p3', text)).toEqual([['1', 'own']]);
  await migrate(
    tenants.admin,
    tenants.attacker,
    'ALTER TABLE own ADD more int; ALTER TABLE own ALTER id TYPE bigint;',
  );
  await session.query(`SET search_path = ${tenants.attacker}`);
  expect(await rows('p3', text)).toEqual([['1', 'own']]);
});

test.each(['26000', '0A000'])(
  'what a tenant’s own code raises as %s is its own, and it has run once',
  async (code) => {
    const text = `SELECT raises('${code}')`;
    const before = await lastRun();
    expect(await failure(rows(`p${code}`, text))).toBe(`${code} of the tenant`);
    // The first of them found the name missing before anything of the tenant's ran.
    expect((await lastRun()) - before).toBe(1);
    expect(await failure(rows(`p${code}`, text))).toBe(`${code} of the tenant`);
    expect((await lastRun()) - before).toBe(2);
  },
);

async function lastRun(): Promise<number> {
  const [row] = await tenants.admin.shared<{ n: string }>(
    `SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS n FROM ${tenants.attacker}.runs`,
  );
  return Number(row?.n);
}

test('a statement that cannot be prepared says why', async () => {
  expect(await failure(rows('p5', 'SELECT nothing FROM own'))).toBe('42703 column "nothing" does not exist');
});
