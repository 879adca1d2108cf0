import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { databaseUrl, runSql } from '../../../test/support/database.ts';
import { SHARED_DATABASE } from '../../platform/derived-logins.ts';
import { ask } from './support/ask.ts';
import { type Edge, startEdge, untilTrue } from './support/edge.ts';

const RUN = randomBytes(4).toString('hex');
const ONE = `one_${RUN}`;
const TWO = `two_${RUN}`;

let edge: Edge;
let shared: string;

beforeAll(async () => {
  edge = await startEdge();
  shared = databaseUrl(inject('postgresUrl'), SHARED_DATABASE);
  for (const id of [ONE, TWO]) {
    await runSql(shared, tenantSql(id));
    await edge.control(
      `INSERT INTO control.tenants (id, placement_kind, isolation, schema_prefix, role_prefix, jwt_kind, postgrest)
       VALUES ($1, 'shared', 'trusted', $1, $1, 'none', '{"db-pre-config": "public.config"}')`,
      [id],
    );
    await edge.control('INSERT INTO control.tenant_hosts (host, tenant_id) VALUES ($1, $2)', [
      `${id}.localhost`,
      id,
    ]);
    expect((await get(id, '/notes')).status).toBe(200);
  }
  await untilTrue(() => edge.observations.some(({ kind }) => kind === 'schema-listener'));
});

afterAll(async () => {
  await edge?.close();
  for (const id of [ONE, TWO]) {
    const roles = ['anon', 'owner', 'service_role'].map((role) => `${id}_${role}`).join(', ');
    await runSql(shared, `DROP SCHEMA IF EXISTS ${id} CASCADE; DROP OWNED BY ${roles}; DROP ROLE ${roles}`);
  }
});

function tenantSql(id: string): string {
  return `
    CREATE ROLE ${id}_anon; CREATE ROLE ${id}_service_role; CREATE ROLE ${id}_owner;
    GRANT ${id}_anon, ${id}_service_role TO cascata_trusted;
    CREATE SCHEMA ${id};
    GRANT USAGE ON SCHEMA ${id} TO ${id}_anon, ${id}_service_role;
    CREATE TABLE ${id}.notes AS SELECT n AS id FROM generate_series(1, 9) n;
    GRANT SELECT ON ${id}.notes TO ${id}_anon;
    CREATE FUNCTION ${id}.config() RETURNS void LANGUAGE sql AS
      $$ SELECT set_config('pgrst.app.settings.ran_as', current_user, true) $$;`;
}

const get = (id: string, path: string) => ask({ url: edge.url, host: `${id}.localhost` }, `/rest/v1${path}`);
const loads = (id: string) =>
  edge.observations.filter((seen) => seen.kind === 'schema-cache-loaded' && seen.tenantId === id).length;

async function rows(id: string): Promise<number> {
  const { json } = await get(id, '/notes');
  return Array.isArray(json) ? json.length : -1;
}

describe('X4: NOTIFY pgrst in the shared database', () => {
  test('reads the pictures of all shared tenants in use again, whoever sent it', async () => {
    const before = [loads(ONE), loads(TWO)];
    await runSql(shared, `CREATE TABLE ${ONE}.later (id int); NOTIFY pgrst, 'reload schema'`);
    await untilTrue(() => loads(ONE) > before[0]! && loads(TWO) > before[1]!);
  });

  test('with another payload is none of ours', async () => {
    const before = loads(ONE);
    await runSql(shared, `NOTIFY pgrst, 'something else'`);
    await runSql(shared, `NOTIFY pgrst`);
    await untilTrue(() => loads(ONE) > before);
    expect(loads(ONE)).toBe(before + 1);
  });

  test('uses one connection, straight to PostgreSQL', async () => {
    const states = edge.observations.filter(({ kind }) => kind === 'schema-listener');
    expect(states).toEqual([{ kind: 'schema-listener', tenantId: undefined, state: 'connected' }]);
  });
});

describe('X7: settings of a shared tenant', () => {
  test('are those of its owner role, and hold for it alone', async () => {
    await runSql(
      shared,
      `ALTER ROLE ${ONE}_owner SET pgrst.db_max_rows = '2'; NOTIFY pgrst, 'reload config'`,
    );
    await untilTrue(async () => (await rows(ONE)) === 2);
    expect(await rows(TWO)).toBe(9);
  });

  test('db-pre-config runs as a role of the tenant’s own', async () => {
    await runSql(
      shared,
      `CREATE OR REPLACE FUNCTION ${TWO}.config() RETURNS void LANGUAGE sql AS
         $$ SELECT set_config('pgrst.db_max_rows', CASE current_user WHEN '${TWO}_service_role' THEN '3' ELSE '4' END, true) $$;
       NOTIFY pgrst`,
    );
    await untilTrue(async () => (await rows(TWO)) < 9);
    expect(await rows(TWO)).toBe(3);
  });

  test('cannot name a schema that the registry does not give it', async () => {
    await runSql(shared, `ALTER ROLE ${ONE}_owner SET pgrst.db_schemas = 'public, secret'; NOTIFY pgrst`);
    await untilTrue(() => edge.observations.some(({ kind }) => kind === 'settings-ignored'));
    expect(edge.observations.find(({ kind }) => kind === 'settings-ignored')).toEqual({
      kind: 'settings-ignored',
      tenantId: ONE,
      problems: [
        { name: 'db-schemas', message: 'names a schema that the registry does not give this project' },
      ],
    });
    expect((await get(ONE, '/notes')).status).toBe(200);
  });

  test('cannot name a role that would be another tenant’s', async () => {
    // The anonymous role of a tenant whose id is this one's with `_b` behind it.
    await runSql(
      shared,
      `ALTER ROLE ${ONE}_owner RESET pgrst.db_schemas;
       ALTER ROLE ${ONE}_owner SET pgrst.db_anon_role = 'b_anon'; NOTIFY pgrst`,
    );
    const problem = { name: 'db-anon-role', message: 'names a role that is none of this project' };
    const told = () => edge.observations.filter((seen) => seen.kind === 'settings-ignored');
    await untilTrue(() => told().some(({ problems }) => problems[0]?.name === problem.name));
    expect(told().at(-1)).toEqual({ kind: 'settings-ignored', tenantId: ONE, problems: [problem] });
    expect((await get(ONE, '/notes')).status).toBe(200);
    await runSql(shared, `ALTER ROLE ${ONE}_owner SET pgrst.db_anon_role = 'service_role'; NOTIFY pgrst`);
    await untilTrue(async () => (await get(ONE, '/notes')).status === 401);
  });
});
