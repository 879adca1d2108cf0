import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localhostFetch } from '../support/localhost-fetch.ts';
import { SHOP_SQL } from '../support/shop.ts';
import { type Stack, type StackTenant, startStack } from '../support/stack.ts';

const ANN = 'a0000000-0000-4000-8000-000000000001';

let stack: Stack;
let shop: StackTenant;

beforeAll(async () => {
  stack = await startStack();
  shop = await stack.createTenant('shop', SHOP_SQL);
});

afterAll(() => stack?.stop());

interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** A request as the Dart client in a generated app sends it: no Accept header of its own, its own client name. */
async function send({ method = 'GET', path, token, headers = {}, body }: Sent) {
  const key = shop.keys.anon;
  const response = await localhostFetch(`${shop.url}/rest/v1${path}`, {
    method,
    headers: {
      apikey: key,
      authorization: `Bearer ${token ?? key}`,
      'x-client-info': 'flutterflow',
      [method === 'GET' || method === 'HEAD' ? 'accept-profile' : 'content-profile']: 'public',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
  };
}

describe('the editor', () => {
  it.each(['anon', 'service_role', 'publishable', 'secret'] as const)(
    'reads the schema with the %s key',
    async (kind) => {
      const response = await localhostFetch(`${shop.url}/rest/v1/`, { headers: { apikey: shop.keys[kind] } });
      const document: unknown = await response.json();
      expect(response.status).toBe(200);
      expect(document).toMatchObject({
        swagger: '2.0',
        definitions: {
          products: {
            properties: { id: { type: 'integer' }, name: { type: 'string' }, tags: { type: 'array' } },
          },
        },
        paths: { '/products': { get: expect.anything() } },
      });
    },
  );

  it('reads the schema with the key in the query', async () => {
    const response = await localhostFetch(`${shop.url}/rest/v1/?apikey=${shop.keys.anon}`);
    expect(await response.json()).toMatchObject({
      swagger: '2.0',
      definitions: { products: expect.anything() },
    });
  });
});

describe('generated queries', () => {
  it('list rows, ordered with explicit nulls', async () => {
    const { status, body } = await send({
      path: '/products?select=*&price=gt.1&order=price.desc.nullslast&limit=2',
    });
    expect([status, body.map(({ id }: { id: number }) => id)]).toEqual([200, [4, 1]]);
  });

  it('quote every string of a list', async () => {
    const list = encodeURIComponent('("Nail","Gift \\"card\\"")');
    const { body } = await send({ path: `/products?select=id&name=in.${list}&order=id.asc.nullslast` });
    expect(body).toEqual([{ id: 2 }, { id: 4 }]);
  });

  it('contain and overlap quoted arrays', async () => {
    const steel = encodeURIComponent('{"steel"}');
    expect(
      (await send({ path: `/products?select=id&tags=cs.${steel}&order=id.asc.nullslast` })).body,
    ).toEqual([{ id: 1 }, { id: 2 }]);
    expect(
      (await send({ path: `/products?select=id&tags=ov.${steel}&order=id.asc.nullslast` })).body,
    ).toEqual([{ id: 1 }, { id: 2 }]);
  });

  it('ask for one row as a list of at most one', async () => {
    const { body } = await send({
      path: '/products?select=*&id=eq.2&limit=1',
      headers: { accept: 'application/json' },
    });
    expect(body).toMatchObject([{ id: 2, name: 'Nail' }]);
  });

  it('count by HEAD', async () => {
    const { status, headers } = await send({
      method: 'HEAD',
      path: '/products?select=*',
      headers: { prefer: 'count=exact' },
    });
    expect([status, headers.get('content-range')]).toEqual([200, '0-3/4']);
  });

  it('call functions', async () => {
    const { body } = await send({ method: 'POST', path: '/rpc/add_up', body: { a: 1, b: 2 } });
    expect(body).toBe(3);
  });
});

describe('generated writes', () => {
  it('insert one row and read it back as an object, with a limit that counts for nothing', async () => {
    const token = await shop.userToken(ANN);
    const { status, body } = await send({
      method: 'POST',
      path: '/orders?select=*&limit=1',
      token,
      headers: { accept: 'application/vnd.pgrst.object+json', prefer: 'return=representation' },
      body: { product_id: 2, quantity: 3 },
    });
    expect([status, body]).toEqual([
      201,
      { id: expect.any(Number), user_id: ANN, product_id: 2, quantity: 3 },
    ]);
  });

  it('update and delete by filter, with preferences joined without a blank', async () => {
    const token = await shop.userToken(ANN);
    const changed = await send({
      method: 'PATCH',
      path: '/orders?product_id=eq.2&select=quantity',
      token,
      headers: { prefer: 'return=representation,count=exact' },
      body: { quantity: 4 },
    });
    expect([changed.status, changed.body, changed.headers.get('content-range')]).toEqual([
      200,
      [{ quantity: 4 }],
      '0-0/1',
    ]);
    const removed = await send({ method: 'DELETE', path: '/orders?product_id=eq.2', token });
    expect([removed.status, removed.body]).toEqual([204, undefined]);
  });

  it('keep the wording of PostgREST when a written row is not there', async () => {
    const { status, body } = await send({
      method: 'PATCH',
      path: '/orders?id=eq.999999&select=*',
      token: await shop.userToken(ANN),
      headers: { accept: 'application/vnd.pgrst.object+json', prefer: 'return=representation' },
      body: { quantity: 4 },
    });
    expect([status, body.code, body.details]).toEqual([406, 'PGRST116', 'The result contains 0 rows']);
  });
});

describe('a browser', () => {
  it('may send what the web build sends', async () => {
    const preflight = await localhostFetch(`${shop.url}/rest/v1/products`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.flutterflow.app',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'accept-profile,apikey,authorization,x-client-info,x-retry-count',
      },
    });
    const allowed = preflight.headers.get('access-control-allow-headers')?.toLowerCase() ?? '';
    expect(preflight.status).toBe(200);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*');
    for (const name of ['accept-profile', 'apikey', 'authorization', 'x-client-info', 'x-retry-count']) {
      expect(allowed).toContain(name);
    }
  });
});
