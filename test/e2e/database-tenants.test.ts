import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { localhostFetch } from '../support/localhost-fetch.ts';
import { SHOP_SQL } from '../support/shop.ts';
import { type Stack, type StackTenant, startStack } from '../support/stack.ts';

const ANN = 'a0000000-0000-4000-8000-000000000001';

/** What a project's own SQL can find out about where it runs. */
const SPY_SQL = `
CREATE FUNCTION place() RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('database', current_database(), 'login', session_user, 'role', current_user)
$$;
CREATE FUNCTION seen() RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
    'relations', (SELECT jsonb_agg(c.relname ORDER BY 1) FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relkind = 'r'),
    'routines', (SELECT count(*) FROM pg_catalog.pg_proc p WHERE p.prosrc LIKE '%formula%'),
    'comments', (SELECT count(*) FROM pg_catalog.pg_description d WHERE d.description LIKE '%formula%'))
$$;
CREATE FUNCTION become(role_name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SET LOCAL ROLE %I', role_name);
  RETURN current_user;
END $$;
CREATE FUNCTION run(statement text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE statement; END $$;`;

const LAB_SQL = `
CREATE TABLE items_of_lab (id int PRIMARY KEY, what text);
COMMENT ON TABLE items_of_lab IS 'the formula';
INSERT INTO items_of_lab VALUES (1, 'gold');
CREATE FUNCTION formula() RETURNS text LANGUAGE sql AS $$ SELECT 'formula: H2O' $$;
${SPY_SQL}`;

let stack: Stack;
let shop: StackTenant;
let lab: StackTenant;

beforeAll(async () => {
  stack = await startStack();
  shop = await stack.createDatabaseTenant('shop', SHOP_SQL + SPY_SQL);
  lab = await stack.createDatabaseTenant('lab', LAB_SQL);
});

afterAll(() => stack?.stop());

function clientOf(
  tenant: StackTenant,
  { key = tenant.keys.publishable, token }: { key?: string; token?: string } = {},
) {
  return createClient(tenant.url, key, {
    global: { fetch: localhostFetch },
    auth: { persistSession: false, autoRefreshToken: false },
    ...(token === undefined ? {} : { accessToken: () => Promise.resolve(token) }),
  });
}

test('supabase-js reads, embeds, counts, writes and calls functions in a database of its own', async () => {
  const embedded = await clientOf(shop).from('makers').select('name, products(name)').eq('id', 2);
  expect(embedded).toMatchObject({
    error: null,
    data: [{ name: 'Bolt', products: [{ name: 'Saw, small' }] }],
  });
  const service = clientOf(shop, { key: shop.keys.secret });
  const inserted = await service
    .from('makers')
    .insert({ id: 90, name: 'New', country: 'DE' })
    .select()
    .single();
  expect(inserted).toMatchObject({ status: 201, data: { id: 90, name: 'New' } });
  const upserted = await service
    .from('makers')
    .upsert({ id: 90, name: 'Newer', country: 'DE' })
    .select('name');
  expect(upserted.data).toEqual([{ name: 'Newer' }]);
  expect(await service.from('makers').delete().eq('id', 90)).toMatchObject({ status: 204, error: null });
  const { count } = await clientOf(shop).from('products').select('*', { count: 'exact', head: true });
  expect(count).toBe(4);
});

test('requests run on the login of the tenant, as the role of the token', async () => {
  const place = (role: string) => ({ database: 'cascata_t_shop', login: 'shop_login', role: `shop_${role}` });
  expect((await clientOf(shop).rpc('place')).data).toEqual(place('anon'));
  const user = clientOf(shop, { token: await shop.userToken(ANN) });
  expect((await user.rpc('place')).data).toEqual(place('authenticated'));
  expect((await clientOf(shop, { key: shop.keys.secret }).rpc('place')).data).toEqual(place('service_role'));
});

test('a migration is visible to the next request', async () => {
  const migration = {
    name: '202611220002__more.sql',
    sql: 'CREATE TABLE public.later (id int); INSERT INTO later VALUES (7);',
  };
  expect((await clientOf(shop).from('later').select()).error?.code).toBe('PGRST205');
  const accepted = await stack.admin('POST', '/v1/tenants/shop/migrations', { migrations: [migration] });
  const { job } = accepted as { job: { id: string } };
  await expect
    .poll(
      async () => ((await stack.admin('GET', `/v1/jobs/${job.id}`)) as { job: { state: string } }).job.state,
    )
    .toBe('completed');
  await expect.poll(async () => (await clientOf(shop).from('later').select()).data).toEqual([{ id: 7 }]);
});

test('two such tenants cannot see each other, not even in the catalog, nor become each other', async () => {
  const { data } = await clientOf(lab, { key: lab.keys.secret }).rpc('seen');
  expect(data).toEqual({ relations: ['items_of_lab'], routines: 2, comments: 1 });
  const fromShop = await clientOf(shop, { key: shop.keys.secret }).rpc('seen');
  expect(fromShop.data).toMatchObject({
    comments: 0,
    relations: expect.not.arrayContaining(['items_of_lab']),
  });
  const spy = clientOf(shop, { key: shop.keys.secret });
  for (const role of [
    'lab_anon',
    'lab_service_role',
    'lab_owner',
    'lab_login',
    'shop_owner',
    'cascata_trusted',
  ]) {
    const { error } = await spy.rpc('become', { role_name: role });
    expect([role, error?.code]).toEqual([role, '42501']);
  }
  for (const statement of [
    'SELECT * FROM cascata_t_lab.public.items_of_lab',
    'CREATE EXTENSION dblink',
    'CREATE TABLE public.mine (id int)',
    'DROP TABLE public.products',
    `ALTER DATABASE cascata_t_lab CONNECTION LIMIT 0`,
  ]) {
    const { error } = await spy.rpc('run', { statement });
    expect([statement, error?.code]).toEqual([statement, expect.stringMatching(/^(42501|0A000)$/)]);
  }
  expect((await clientOf(lab).from('items_of_lab').select('what')).data).toEqual([{ what: 'gold' }]);
});

test('keys of one are worth nothing on the other', async () => {
  expect((await clientOf(lab, { key: shop.keys.secret }).from('items_of_lab').select()).status).toBe(401);
  expect((await clientOf(lab, { key: shop.keys.service_role }).from('items_of_lab').select()).status).toBe(
    401,
  );
});

test('a deleted one answers 404 and its name can be used again', async () => {
  await stack.createDatabaseTenant('brief', LAB_SQL);
  const brief = { url: lab.url.replace('lab', 'brief') };
  const status = async () => (await localhostFetch(`${brief.url}/rest/v1/items_of_lab?select=id`)).status;
  expect(await status()).toBe(200);
  await stack.admin('DELETE', '/v1/tenants/brief?confirm=brief');
  await expect.poll(status).toBe(404);
  await stack.createDatabaseTenant('brief', 'CREATE TABLE items_of_lab (id int);');
  await expect.poll(status).toBe(200);
  expect(await (await localhostFetch(`${brief.url}/rest/v1/items_of_lab`)).text()).toBe('[]');
});
