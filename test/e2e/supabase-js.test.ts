import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localhostFetch } from '../support/localhost-fetch.ts';
import { LIBRARY_SQL, SHOP_SQL } from '../support/shop.ts';
import { type Stack, type StackTenant, startStack } from '../support/stack.ts';

const ANN = 'a0000000-0000-4000-8000-000000000001';
const BOB = 'b0000000-0000-4000-8000-000000000002';

let stack: Stack;
let shop: StackTenant;
let library: StackTenant;

beforeAll(async () => {
  stack = await startStack();
  shop = await stack.createTenant('shop', SHOP_SQL, {
    'db-aggregates-enabled': true,
    'db-plan-enabled': true,
  });
  library = await stack.createTenant('library', LIBRARY_SQL);
});

afterAll(() => stack?.stop());

/** The real client on a tenant's host; with `token` as a user who has signed in. */
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

const serviceOf = (tenant: StackTenant) => clientOf(tenant, { key: tenant.keys.secret });

describe('reading', () => {
  it('selects, filters, orders and pages', async () => {
    const { data, error } = await clientOf(shop)
      .from('products')
      .select('id,name')
      .gte('price', 1)
      .order('price', { ascending: false })
      .range(0, 1);
    expect({ data, error }).toEqual({
      data: [
        { id: 4, name: 'Gift "card"' },
        { id: 1, name: 'Hammer' },
      ],
      error: null,
    });
  });

  it('embeds both ways', async () => {
    const { data } = await clientOf(shop)
      .from('makers')
      .select('name, products(name, maker:makers(country))')
      .eq('id', 2);
    expect(data).toEqual([{ name: 'Bolt', products: [{ name: 'Saw, small', maker: { country: 'US' } }] }]);
  });

  it('counts', async () => {
    const { count, data } = await clientOf(shop).from('products').select('*', { count: 'exact', head: true });
    expect({ count, data }).toEqual({ count: 4, data: null });
  });

  it('takes in() values with commas and quotes as the client sends them', async () => {
    const { data } = await clientOf(shop)
      .from('products')
      .select('id')
      .in('name', ['Saw, small', 'Nail'])
      .order('id');
    expect(data).toEqual([{ id: 2 }, { id: 3 }]);
  });

  it('takes or, contains, overlaps, is, ilike and JSON paths', async () => {
    const products = () => clientOf(shop).from('products').select('id').order('id');
    const answers = await Promise.all([
      products().or('price.lt.1,in_stock.is.null'),
      products().contains('tags', ['steel']),
      products().contains('details', { colour: 'red' }),
      products().overlaps('tags', ['tool', 'x']),
      products().is('in_stock', false),
      products().ilike('name', '%ham%'),
      products().eq('details->>colour', 'grey'),
      products().not('in_stock', 'is', null),
    ]);
    expect(answers.map(({ data }) => data?.map(({ id }) => id))).toEqual([
      [2, 4],
      [1, 2],
      [1],
      [1, 3],
      [3],
      [1],
      [2],
      [1, 2, 3],
    ]);
  });

  it('gives single objects, and the documented error when there is none', async () => {
    const products = () => clientOf(shop).from('products').select('name');
    expect((await products().eq('id', 1).single()).data).toEqual({ name: 'Hammer' });
    expect((await products().eq('id', 99).maybeSingle()).data).toBeNull();
    const { error, status } = await products().eq('id', 99).single();
    expect([status, error?.code, error?.details]).toEqual([406, 'PGRST116', 'The result contains 0 rows']);
  });

  it('gives CSV and plans', async () => {
    expect((await clientOf(shop).from('products').select('id,name').lt('id', 3).order('id').csv()).data).toBe(
      'id,name\n1,Hammer\n2,Nail',
    );
    expect((await clientOf(shop).from('products').select('id').explain()).data).toMatch(/Scan/);
  });

  it('aggregates', async () => {
    const { data } = await clientOf(shop).from('products').select('maker_id, price.sum()').eq('maker_id', 1);
    expect(data).toEqual([{ maker_id: 1, sum: 12.6 }]);
  });
});

describe('writing', () => {
  it('inserts, updates, upserts and deletes', async () => {
    const products = () => serviceOf(shop).from('products');
    const added = await products().insert({ name: 'Drill', price: 80 }).select('id,name,price').single();
    expect(added.data).toMatchObject({ name: 'Drill', price: 80 });
    const { id } = added.data!;
    expect((await products().update({ price: 70 }).eq('id', id).select('price')).data).toEqual([
      { price: 70 },
    ]);
    const upserted = await products()
      .upsert({ name: 'Drill', price: 60 }, { onConflict: 'name' })
      .select('id,price');
    expect(upserted.data).toEqual([{ id, price: 60 }]);
    expect(await products().delete().eq('id', id)).toMatchObject({ error: null, status: 204 });
    expect((await products().select('id').eq('id', id)).data).toEqual([]);
  });

  it('inserts many, with defaults where a key is missing', async () => {
    const products = () => serviceOf(shop).from('products');
    const { data } = await products()
      .insert([{ name: 'Bolt' }, { name: 'Screw', price: 2 }], { defaultToNull: false })
      .select('name,price');
    expect(data).toEqual([
      { name: 'Bolt', price: 1 },
      { name: 'Screw', price: 2 },
    ]);
    expect((await products().delete({ count: 'exact' }).in('name', ['Bolt', 'Screw'])).count).toBe(2);
  });

  it('reports what PostgreSQL refuses', async () => {
    const { error, status } = await serviceOf(shop).from('products').insert({ name: 'Hammer' });
    expect([status, error?.code]).toEqual([409, '23505']);
  });
});

describe('functions', () => {
  it('are called by POST and GET, with filters on their rows', async () => {
    const client = clientOf(shop);
    expect((await client.rpc('add_up', { a: 2, b: 3 })).data).toBe(5);
    expect((await client.rpc('add_up', { a: 2, b: 3 }, { get: true })).data).toBe(5);
    expect((await client.rpc('products_of', { maker: 'Acorn' }).select('name').gt('price', 1)).data).toEqual([
      { name: 'Hammer' },
    ]);
  });
});

describe('users', () => {
  it('see and change their own rows only', async () => {
    const ann = clientOf(shop, { token: await shop.userToken(ANN) });
    const bob = clientOf(shop, { token: await shop.userToken(BOB) });
    const { data } = await ann.from('orders').insert({ product_id: 1 }).select('user_id').single();
    expect(data).toEqual({ user_id: ANN });
    expect((await bob.from('orders').select()).data).toEqual([]);
    expect((await bob.from('orders').insert({ product_id: 1, user_id: ANN })).error?.code).toBe('42501');
    expect((await ann.from('orders').delete().gt('id', 0).select('user_id')).data).toEqual([
      { user_id: ANN },
    ]);
  });

  it('are told to SQL', async () => {
    const ann = clientOf(shop, { token: await shop.userToken(ANN) });
    expect((await ann.rpc('whoami')).data).toEqual({ uid: ANN, role: 'authenticated' });
  });
});

describe('two tenants', () => {
  it('have tables of the same name and nothing in common', async () => {
    const { data } = await clientOf(library).from('products').select('code,loans(reader)').order('code');
    expect(data).toEqual([
      { code: 'b1', loans: [{ reader: 'Kim' }] },
      { code: 'b2', loans: [] },
    ]);
    expect((await clientOf(library).from('makers').select()).error?.code).toBe('PGRST205');
  });

  it.each(['anon', 'service_role', 'publishable', 'secret'] as const)(
    'refuse the other one’s %s key',
    async (kind) => {
      const stranger = clientOf(library, { key: shop.keys[kind] });
      const { status, data } = await stranger.from('products').select();
      expect([status, data]).toEqual([401, null]);
    },
  );

  it('refuse the other one’s users', async () => {
    const stranger = clientOf(library, { token: await shop.userToken(ANN) });
    expect((await stranger.from('products').select()).status).toBe(401);
  });

  it.each(['anon', 'publishable'] as const)('take their own %s key', async (kind) => {
    const { error } = await clientOf(library, { key: library.keys[kind] }).from('products').select();
    expect(error).toBeNull();
  });

  it.each(['service_role', 'secret'] as const)('let their own %s key write', async (kind) => {
    const client = clientOf(library, { key: library.keys[kind] });
    expect((await client.from('products').insert({ code: 'tmp', title: 'x' })).error).toBeNull();
    expect((await client.from('products').delete().eq('code', 'tmp')).error).toBeNull();
  });
});
