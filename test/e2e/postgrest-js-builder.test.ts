import { PostgrestClient, type PostgrestError } from '@supabase/postgrest-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BOOKINGS_SQL } from '../support/bookings.ts';
import { localhostFetch } from '../support/localhost-fetch.ts';
import { type Stack, type StackTenant, startStack } from '../support/stack.ts';

let stack: Stack;
let shop: StackTenant;

beforeAll(async () => {
  stack = await startStack();
  shop = await stack.createTenant('shop', BOOKINGS_SQL, {
    'db-tx-end': 'commit-allow-override',
    'db-plan-enabled': true,
  });
});

afterAll(() => stack?.stop());

function client() {
  return new PostgrestClient(`${shop.url}/rest/v1`, {
    headers: { apikey: shop.keys.service_role },
    fetch: localhostFetch,
  });
}

const products = () => client().from('products').select('id').order('id');
const bookings = () => client().from('bookings').select('id').order('id');

interface Answer {
  readonly data: readonly { id: number }[] | null;
  readonly error: PostgrestError | null;
}

/** @throws the client's error */
async function ids(answer: PromiseLike<Answer>): Promise<number[]> {
  const { data, error } = await answer;
  if (error !== null) throw error;
  return (data ?? []).map(({ id }) => id);
}

describe('filters', () => {
  const cases: Readonly<Record<string, readonly [() => PromiseLike<Answer>, readonly number[]]>> = {
    eq: [() => products().eq('id', 1), [1]],
    neq: [() => products().neq('id', 1), [2, 3, 4]],
    gt: [() => products().gt('price', 9), [1, 4]],
    gte: [() => products().gte('price', 9), [1, 3, 4]],
    lt: [() => products().lt('price', 9), [2]],
    lte: [() => products().lte('price', 9), [2, 3]],
    like: [() => products().like('name', '%a%'), [1, 2, 3, 4]],
    ilike: [() => products().ilike('name', 'h%'), [1]],
    likeAllOf: [() => products().likeAllOf('name', ['%a%', 'H%']), [1]],
    likeAnyOf: [() => products().likeAnyOf('name', ['N%', 'H%']), [1, 2]],
    ilikeAllOf: [() => products().ilikeAllOf('name', ['%A%', 'h%']), [1]],
    ilikeAnyOf: [() => products().ilikeAnyOf('name', ['n%', 'h%']), [1, 2]],
    regexMatch: [() => products().regexMatch('name', '^[HN]'), [1, 2]],
    regexIMatch: [() => products().regexIMatch('name', '^h'), [1]],
    'is null': [() => products().is('maker_id', null), [4]],
    'is true': [() => products().is('in_stock', true), [1, 2]],
    isDistinct: [() => products().isDistinct('maker_id', 1), [3, 4]],
    in: [() => products().in('name', ['Nail', 'Saw, small']), [2, 3]],
    notIn: [() => products().notIn('id', [1, 2]), [3, 4]],
    'contains, array': [() => products().contains('tags', ['tool']), [1, 3]],
    'contains, object': [() => products().contains('details', { colour: 'red' }), [1]],
    'contains, range': [() => bookings().contains('during', '[2,3)'), [1]],
    'containedBy, array': [() => products().containedBy('tags', ['steel', 'tool']), [1, 2, 3, 4]],
    'containedBy, range': [() => bookings().containedBy('during', '[0,10)'), [1, 2]],
    rangeLt: [() => bookings().rangeLt('during', '[5,6)'), [1]],
    rangeGt: [() => bookings().rangeGt('during', '[5,6)'), [3]],
    rangeGte: [() => bookings().rangeGte('during', '[5,6)'), [2, 3]],
    rangeLte: [() => bookings().rangeLte('during', '[5,9)'), [1, 2]],
    rangeAdjacent: [() => bookings().rangeAdjacent('during', '[9,20)'), [2, 3]],
    'overlaps, range': [() => bookings().overlaps('during', '[4,6)'), [1, 2]],
    'overlaps, array': [() => products().overlaps('tags', ['steel']), [1, 2]],
    textSearch: [() => bookings().textSearch('words', 'fat & cat'), [1]],
    'textSearch plain': [() => bookings().textSearch('words', 'fat cats', { type: 'plain' }), [1]],
    'textSearch phrase': [
      () => bookings().textSearch('words', 'fat dog', { type: 'phrase', config: 'english' }),
      [2],
    ],
    'textSearch websearch': [
      () => bookings().textSearch('note', 'fat -cat', { type: 'websearch', config: 'english' }),
      [2],
    ],
    match: [() => products().match({ maker_id: 1, in_stock: true }), [1, 2]],
    not: [() => products().not('tags', 'cs', '{steel}'), [3, 4]],
    or: [() => products().or('id.eq.1,and(price.lt.1,in_stock.is.true)'), [1, 2]],
    'or of an embed': [
      () =>
        client()
          .from('makers')
          .select('id,products!inner(id)')
          .or('id.eq.3,name.eq.Nail', { referencedTable: 'products' }),
      [1, 2],
    ],
    filter: [() => products().filter('details->>colour', 'in', '("red","grey")'), [1, 2]],
    'JSON path': [() => products().eq('details->sizes->0', 1), [1]],
    'filter of an embed': [
      () => client().from('makers').select('id,products!inner()').eq('products.name', 'Nail'),
      [1],
    ],
  };
  it.each(Object.entries(cases))('%s', async (_, [ask, expected]) => {
    expect(await ids(ask())).toEqual(expected);
  });
});

describe('shapes of the answer', () => {
  it('one row, or an error that says how many there were', async () => {
    const { data } = await client().from('makers').select('name').eq('id', 1).single();
    expect(data).toEqual({ name: 'Acorn' });
    const { error, status } = await client().from('makers').select('name').single();
    expect([status, error?.code, error?.details]).toEqual([406, 'PGRST116', 'The result contains 2 rows']);
  });

  it('at most one row', async () => {
    expect((await client().from('makers').select('id').eq('id', 9).maybeSingle()).data).toBeNull();
    expect((await client().from('makers').select('id').eq('id', 1).maybeSingle()).data).toEqual({ id: 1 });
    expect((await client().from('makers').select('id').maybeSingle()).error?.code).toBe('PGRST116');
    const changed = await client().from('makers').update({ name: 'x' }).eq('id', 9).select().maybeSingle();
    expect([changed.data, changed.error]).toEqual([null, null]);
  });

  it('CSV', async () => {
    const { data } = await client().from('makers').select('id,name').order('id').csv();
    expect(data).toBe('id,name\n1,Acorn\n2,Bolt');
  });

  it('GeoJSON, which needs PostGIS', async () => {
    const { error, status } = await client().from('makers').select().geojson();
    expect([status, error?.code]).toEqual([404, '42883']);
  });

  it('plans as text and as JSON', async () => {
    const text = await client().from('makers').select().explain({ analyze: true, verbose: true });
    expect(text.data).toMatch(/^Aggregate .*actual time/);
    const json = await client().from('makers').select().explain({ format: 'json', settings: true });
    expect(json.data).toMatchObject([{ Plan: { 'Node Type': 'Aggregate' } }]);
  });

  it('objects without nulls', async () => {
    const { data } = await client().from('products').select('id,maker_id').eq('id', 4).single().stripNulls();
    expect(data).toEqual({ id: 4 });
  });
});

describe('pages and counts', () => {
  it.each(['exact', 'planned', 'estimated'] as const)('%s counts', async (count) => {
    const { count: total } = await client().from('makers').select('*', { count, head: true });
    expect(typeof total).toBe('number');
  });

  it('a range of rows is a part of a counted whole', async () => {
    const { data, count, status } = await client()
      .from('products')
      .select('id', { count: 'exact' })
      .order('id')
      .range(1, 2);
    expect([data, count, status]).toEqual([[{ id: 2 }, { id: 3 }], 4, 206]);
  });

  it('limits and ranges of embeds, ordered with nulls first', async () => {
    const { data } = await client()
      .from('makers')
      .select('id,products(id)')
      .eq('id', 1)
      .order('in_stock', { referencedTable: 'products', ascending: false, nullsFirst: true })
      .order('id', { referencedTable: 'products', ascending: false })
      .range(1, 1, { referencedTable: 'products' });
    expect(data).toEqual([{ id: 1, products: [{ id: 1 }] }]);
  });

  it('orders by several columns', async () => {
    const answer = client()
      .from('products')
      .select('id')
      .order('in_stock', { ascending: false, nullsFirst: false })
      .order('price');
    expect(await ids(answer)).toEqual([2, 1, 3, 4]);
  });
});

describe('writes', () => {
  const gone = () => client().from('makers');

  it('inserts one and many, with and without an answer', async () => {
    expect((await gone().insert({ id: 9, name: 'x' }).rollback()).status).toBe(201);
    const many = await gone()
      .insert(
        [
          { id: 9, name: 'x' },
          { id: 10, name: 'y', country: 'NZ' },
        ],
        { count: 'exact' },
      )
      .rollback()
      .select('id,country');
    expect([many.data, many.count]).toEqual([
      [
        { id: 9, country: null },
        { id: 10, country: 'NZ' },
      ],
      2,
    ]);
    expect((await gone().insert([])).status).toBe(201);
  });

  it('takes defaults for missing values on request', async () => {
    const rows = [{ name: 'one', price: 3 }, { name: 'two' }];
    const insert = () => client().from('products');
    const filled = await insert().insert(rows, { defaultToNull: false }).rollback().select('price,tags');
    expect(filled.data).toEqual([
      { price: 3, tags: [] },
      { price: 1, tags: [] },
    ]);
    expect((await insert().insert(rows).rollback()).error?.code).toBe('23502');
  });

  it('upserts, by key or by another column, or leaves what is there', async () => {
    const merged = await gone().upsert({ id: 1, name: 'Acorn!' }).rollback().select('name,country').single();
    expect(merged.data).toEqual({ name: 'Acorn!', country: 'UK' });
    const named = await client()
      .from('products')
      .upsert({ name: 'Nail', price: 2 }, { onConflict: 'name' })
      .rollback()
      .select('id,price');
    expect(named.data).toEqual([{ id: 2, price: 2 }]);
    const ignored = await gone().upsert({ id: 1, name: 'x' }, { ignoreDuplicates: true }).rollback().select();
    expect(ignored.data).toEqual([]);
  });

  it('updates and deletes, counted', async () => {
    const updated = await gone().update({ country: 'DE' }, { count: 'exact' }).gt('id', 0).rollback();
    expect([updated.status, updated.count, updated.data]).toEqual([204, 2, null]);
    const deleted = await client()
      .from('products')
      .delete({ count: 'exact' })
      .eq('id', 4)
      .rollback()
      .select('id');
    expect([deleted.data, deleted.count]).toEqual([[{ id: 4 }], 1]);
    expect(await ids(products())).toEqual([1, 2, 3, 4]);
  });
});

describe('calls', () => {
  it('by POST and by GET, scalars and rows', async () => {
    expect((await client().rpc('add_up', { a: 1, b: 2 })).data).toBe(3);
    expect((await client().rpc('add_up', { a: 1, b: 2 }, { get: true })).data).toBe(3);
    const rows = await client()
      .rpc('products_of', { maker: 'Acorn' }, { count: 'exact' })
      .select('id')
      .gt('id', 1);
    expect([rows.data, rows.count]).toEqual([[{ id: 2 }], 1]);
  });

  it('by HEAD', async () => {
    const { count, data } = await client().rpc(
      'products_of',
      { maker: 'Acorn' },
      { head: true, count: 'exact' },
    );
    expect([count, data]).toEqual([2, null]);
  });
});

describe('errors', () => {
  it('throws them on request', async () => {
    await expect(client().from('nothing').select().throwOnError()).rejects.toMatchObject({
      code: 'PGRST205',
    });
  });

  it('hears of its own abort', async () => {
    const { error } = await client().from('makers').select().abortSignal(AbortSignal.abort());
    expect(error?.message).toMatch(/abort/i);
  });

  it('has all four members', async () => {
    const { error } = await client().from('makers').insert({ id: 1, name: 'x' });
    expect(error).toMatchObject({ code: '23505', details: 'Key (id)=(1) already exists.', hint: null });
    expect(error?.message).toContain('duplicate key');
  });

  it('hears of a schema that is not exposed', async () => {
    expect((await client().schema('auth').from('makers').select()).error?.code).toBe('PGRST106');
    expect((await client().schema('public').rpc('add_up', { a: 1, b: 1 })).data).toBe(2);
  });
});
