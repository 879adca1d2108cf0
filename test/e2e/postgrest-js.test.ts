import { PostgrestClient } from '@supabase/postgrest-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { localhostFetch } from '../support/localhost-fetch.ts';
import { SHOP_SQL } from '../support/shop.ts';
import { type Stack, type StackTenant, startStack } from '../support/stack.ts';

let stack: Stack;
let shop: StackTenant;

beforeAll(async () => {
  stack = await startStack();
  shop = await stack.createTenant('shop', SHOP_SQL, { 'db-tx-end': 'commit-allow-override' });
});

afterAll(() => stack?.stop());

function client(key: string = shop.keys.service_role) {
  return new PostgrestClient(`${shop.url}/rest/v1`, { headers: { apikey: key }, fetch: localhostFetch });
}

/** The client offers `maxAffected` only to types that say which PostgREST they talk to. */
interface VersionedDatabase {
  __InternalSupabase: { PostgrestVersion: '14' };
  public: {
    Tables: {
      products: { Row: { id: number }; Insert: { id?: number }; Update: { id?: number }; Relationships: [] };
    };
    Views: Record<never, never>;
    Functions: Record<never, never>;
  };
}

it('needs no schema header, as a bare client sends none', async () => {
  const { data } = await client().from('makers').select('name').order('id');
  expect(data).toEqual([{ name: 'Acorn' }, { name: 'Bolt' }]);
});

it('takes a schema header that names the default', async () => {
  const { data } = await client().schema('public').from('makers').select('id').eq('id', 1);
  expect(data).toEqual([{ id: 1 }]);
});

it('refuses a schema that is not exposed', async () => {
  const { error, status } = await client().schema('auth').from('makers').select('id');
  expect([status, error?.code, error?.hint]).toEqual([
    406,
    'PGRST106',
    'Only the following schemas are exposed: public',
  ]);
});

it('strips nulls', async () => {
  const { data } = await client().from('products').select('id,maker_id,details').eq('id', 4).stripNulls();
  expect(data).toEqual([{ id: 4 }]);
});

it('rolls back on request', async () => {
  const { data } = await client().from('makers').insert({ id: 9, name: 'Gone' }).rollback().select('id');
  expect(data).toEqual([{ id: 9 }]);
  expect((await client().from('makers').select('id').eq('id', 9)).data).toEqual([]);
});

it('bounds how many rows a change may touch', async () => {
  const versioned = new PostgrestClient<VersionedDatabase>(`${shop.url}/rest/v1`, {
    headers: { apikey: shop.keys.service_role },
    fetch: localhostFetch,
  });
  const { error } = await versioned.from('products').delete().gt('id', 0).maxAffected(1);
  expect(error?.code).toBe('PGRST124');
  expect((await client().from('products').select('*', { head: true, count: 'exact' })).count).toBe(4);
});

it('orders by an embed and within one', async () => {
  const { data } = await client()
    .from('makers')
    .select('name,products(name)')
    .order('name', { ascending: false })
    .order('price', { referencedTable: 'products' });
  expect(data).toEqual([
    { name: 'Bolt', products: [{ name: 'Saw, small' }] },
    { name: 'Acorn', products: [{ name: 'Nail' }, { name: 'Hammer' }] },
  ]);
  const byMaker = await client()
    .from('products')
    .select('id,makers(name)')
    .not('maker_id', 'is', null)
    .order('makers(name)', { ascending: false })
    .order('id');
  expect(byMaker.data?.map(({ id }) => id)).toEqual([3, 1, 2]);
});

it('filters and limits embeds', async () => {
  const { data } = await client()
    .from('makers')
    .select('id,products!inner(name)')
    .lt('products.price', 1)
    .limit(1, { referencedTable: 'products' });
  expect(data).toEqual([{ id: 1, products: [{ name: 'Nail' }] }]);
});

it('calls functions by HEAD and counts their rows', async () => {
  const { count } = await client().rpc('products_of', { maker: 'Acorn' }, { head: true, count: 'exact' });
  expect(count).toBe(2);
});

it('hears a missing table as an error, not as an empty result', async () => {
  const { data, error, status } = await client().from('nothing').select();
  expect([data, error?.code, status]).toEqual([null, 'PGRST205', 404]);
});
