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

interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** As the Dart package sends it: no `Accept` of its own, keys and schema in headers, JSON whenever it is no read. */
async function send(
  path: string,
  { method = 'GET', headers = {}, body }: Sent = {},
): Promise<{ status: number; headers: Headers; text: string; json: unknown }> {
  const isRead = method === 'GET' || method === 'HEAD';
  const key = shop.keys.service_role;
  const response = await localhostFetch(`${shop.url}/rest/v1${path}`, {
    method,
    headers: {
      'X-Client-Info': 'flutterflow',
      apikey: key,
      Authorization: `Bearer ${key}`,
      [isRead ? 'Accept-Profile' : 'Content-Profile']: 'public',
      ...(isRead ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: text === '' ? undefined : parse(text),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const OBJECT = { Accept: 'application/vnd.pgrst.object+json' };

it('quotes every text of a list and escapes what is in it', async () => {
  const list = encodeURIComponent('("Nail","Gift \\"card\\"","Saw, small")');
  const { json } = await send(`/products?select=id&name=in.${list}&order=id.asc.nullslast`);
  expect(json).toEqual([{ id: 2 }, { id: 3 }, { id: 4 }]);
});

it('compares arrays with quoted members', async () => {
  const array = encodeURIComponent('{"tool","steel"}');
  expect((await send(`/products?select=id&tags=eq.${array}`)).json).toEqual([{ id: 1 }]);
  const contained = encodeURIComponent('{"steel"}');
  expect((await send(`/products?select=id&tags=cs.${contained}&order=id.asc.nullslast`)).json).toEqual([
    { id: 1 },
    { id: 2 },
  ]);
});

it('always says where nulls go, and orders descending when not told', async () => {
  const { json } = await send('/products?select=id&order=maker_id.desc.nullslast%2Cid.asc.nullsfirst');
  expect(json).toEqual([{ id: 3 }, { id: 1 }, { id: 2 }, { id: 4 }]);
});

it('joins preferences without a space', async () => {
  const { status, headers, json } = await send('/makers?select=id', {
    method: 'POST',
    headers: { Prefer: 'return=representation,resolution=merge-duplicates,count=exact,tx=rollback' },
    body: [{ id: 1, name: 'Acorn' }],
  });
  expect([status, json]).toEqual([200, [{ id: 1 }]]);
  expect(headers.get('preference-applied')).toBe(
    'resolution=merge-duplicates, return=representation, count=exact, tx=rollback',
  );
  expect(headers.get('content-range')).toBe('*/1');
});

it('counts a table by HEAD', async () => {
  const { status, headers, text } = await send('/products', {
    method: 'HEAD',
    headers: { Prefer: 'count=exact' },
  });
  expect([status, headers.get('content-range'), text]).toEqual([200, '0-3/4', '']);
});

it('reads the total of a counted page', async () => {
  const { status, headers } = await send('/products?select=id&order=id.asc.nullslast&offset=0&limit=2', {
    headers: { Prefer: 'count=exact' },
  });
  expect([status, headers.get('content-range')]).toEqual([206, '0-1/4']);
});

it('inserts for FlutterFlow: one row back, with a limit that does not matter', async () => {
  const { status, json } = await send('/makers?select=*&limit=1', {
    method: 'POST',
    headers: { ...OBJECT, Prefer: 'return=representation,tx=rollback' },
    body: { id: 50, name: 'New', country: null },
  });
  expect([status, json]).toEqual([201, { id: 50, name: 'New', country: null }]);
});

it('reads one row at most as a list, and checks itself', async () => {
  const { json } = await send('/makers?select=*&id=eq.9&limit=1', {
    headers: { Accept: 'application/json' },
  });
  expect(json).toEqual([]);
});

it('says how many rows a singular change found, in the words of PostgREST', async () => {
  const { status, json } = await send('/makers?id=eq.9&select=*', {
    method: 'PATCH',
    headers: { ...OBJECT, Prefer: 'return=representation' },
    body: { name: 'x' },
  });
  expect([status, json]).toEqual([
    406,
    {
      code: 'PGRST116',
      details: 'The result contains 0 rows',
      hint: null,
      message: 'Cannot coerce the result to a single JSON object',
    },
  ]);
});

it('takes a media type with a dangling semicolon', async () => {
  const { status, json } = await send('/makers?select=id', { headers: { Accept: 'application/geo+json;' } });
  expect([status, (json as { code: string }).code]).toEqual([404, '42883']);
});

it('keeps nulls when plain JSON is asked for without them', async () => {
  const { json } = await send('/products?select=id,maker_id&id=eq.4', {
    headers: { Accept: 'application/json;nulls=stripped' },
  });
  expect(json).toEqual([{ id: 4, maker_id: null }]);
});

it('deletes with a content type and no body', async () => {
  const { status, text } = await send('/makers?id=eq.9', { method: 'DELETE' });
  expect([status, text]).toEqual([204, '']);
});

it('calls functions, and says that it asks again', async () => {
  const called = await send('/rpc/add_up', { method: 'POST', body: { a: 1, b: 2 } });
  expect(called.json).toBe(3);
  const again = await send('/rpc/add_up?a=1&b=2', { headers: { 'X-Retry-Count': '1' } });
  expect(again.json).toBe(3);
});

it('reads the schema for the FlutterFlow editor', async () => {
  const { status, json } = await send('/');
  expect(status).toBe(200);
  expect(Object.keys((json as { definitions: object }).definitions)).toContain('products');
});
