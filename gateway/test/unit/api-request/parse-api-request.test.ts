import { describe, expect, it } from 'vitest';
import { ALL_COLUMNS } from '../../../api-request/parse-select.ts';
import { aFilter, bytes, equals, errorOf, parse } from './support.ts';

describe('parseApiRequest', () => {
  it('reads a whole request', () => {
    const headers = {
      accept: 'application/json',
      prefer: 'count=exact',
      range: '0-9',
      cookie: 'a=1; b=x=y;c;a=2',
      host: 'acme.localhost',
    };
    expect(parse({ path: '/my%20items', rawQuery: 'id=eq.5', headers })).toEqual({
      method: 'GET',
      action: { kind: 'read', relation: 'my items', headersOnly: false },
      path: '/my items',
      schema: 'public',
      hasProfile: false,
      query: {
        select: ALL_COLUMNS,
        isDefaultSelect: true,
        filters: [{ path: [], value: aFilter('id', equals('5')) }],
        logic: [],
        order: [],
        ranges: [],
        hasRootLimit: false,
        columns: undefined,
        onConflict: undefined,
        filterFields: ['id'],
        routineParams: [],
        shape: '\0id\0eq\0\0',
        canonical: 'id=eq.5',
      },
      accept: [{ kind: 'json' }],
      preferences: expect.objectContaining({ count: 'exact', invalid: [] }),
      range: { offset: 0, limit: 10 },
      payload: undefined,
      headers: { accept: 'application/json', prefer: 'count=exact', range: '0-9', host: 'acme.localhost' },
      cookies: { a: '2', b: 'x=y', c: '' },
    });
  });

  it.each([
    ['GET', '/items', { kind: 'read', relation: 'items', headersOnly: false }],
    ['HEAD', '/items', { kind: 'read', relation: 'items', headersOnly: true }],
    ['POST', '/items', { kind: 'mutate', relation: 'items', mutation: 'create' }],
    ['PATCH', '/items', { kind: 'mutate', relation: 'items', mutation: 'update' }],
    ['PUT', '/items', { kind: 'mutate', relation: 'items', mutation: 'single-upsert' }],
    ['DELETE', '/items', { kind: 'mutate', relation: 'items', mutation: 'delete' }],
    ['OPTIONS', '/items', { kind: 'options-relation', relation: 'items' }],
    ['GET', '/rpc/f', { kind: 'call', routine: 'f', invocation: 'get', headersOnly: false }],
    ['HEAD', '/rpc/f', { kind: 'call', routine: 'f', invocation: 'get', headersOnly: true }],
    ['POST', '/rpc/f', { kind: 'call', routine: 'f', invocation: 'post', headersOnly: false }],
    ['OPTIONS', '/rpc/f', { kind: 'options-routine', routine: 'f' }],
    ['GET', '/', { kind: 'inspect-root', headersOnly: false }],
    ['HEAD', '', { kind: 'inspect-root', headersOnly: true }],
    ['OPTIONS', '/', { kind: 'options-root' }],
    ['GET', '/rpc', { kind: 'read', relation: 'rpc', headersOnly: false }],
    ['GET', '/a%2Fb', { kind: 'read', relation: 'a/b', headersOnly: false }],
    ['GET', '/a%ffb', { kind: 'read', relation: 'a\ufffdb', headersOnly: false }],
  ])('%s %s', (method, path, action) => {
    expect(parse({ method, path, body: bytes('{}') }).action).toEqual(action);
  });

  it('reads the root as the function of db-root-spec', () => {
    const settings = { dbRootSpec: 'api.root' };
    const call = { kind: 'call', routine: 'root', invocation: 'get', headersOnly: false };
    expect(parse({ path: '/' }, settings).action).toEqual(call);
    expect(parse({ path: '/' }, { ...settings, openapiMode: 'disabled' }).action).toEqual({
      kind: 'inspect-root',
      headersOnly: false,
    });
  });

  it.each(['/items/', '/a/b', '/rpc/f/g', '//', '/rpc/f/'])('refuses the path %s', (path) => {
    expect(errorOf(() => parse({ path })).code).toBe('PGRST125');
  });

  it.each([
    ['TRACE', '/items', 'PGRST117', 'Unsupported HTTP method: TRACE'],
    ['POST', '/', 'PGRST117', 'Unsupported HTTP method: POST'],
    ['PATCH', '/rpc/f', 'PGRST101', 'Cannot use the PATCH method on RPC'],
  ])('refuses %s %s', (method, path, code, message) => {
    expect(errorOf(() => parse({ method, path }))).toEqual({ code, message, details: undefined });
  });

  it('finds arguments in the query string of GET and OPTIONS, filters in that of POST', () => {
    const request = { path: '/rpc/f', rawQuery: 'a=1' };
    expect(parse(request).query.routineParams).toEqual([['a', '1']]);
    expect(parse({ ...request, method: 'OPTIONS' }).query.routineParams).toEqual([['a', '1']]);
    expect(errorOf(() => parse({ ...request, method: 'POST' })).code).toBe('PGRST100');
  });

  describe('profiles', () => {
    const settings = { dbSchemas: ['public', 'api'] };

    it('reads Accept-Profile on reads and Content-Profile on writes', () => {
      const headers = { 'accept-profile': 'api', 'content-profile': 'public' };
      expect(parse({ headers }, settings).schema).toBe('api');
      expect(parse({ headers, method: 'POST', body: bytes('{}') }, settings).schema).toBe('public');
    });

    it('has a profile when one was asked for or several schemas are exposed', () => {
      expect(parse({}, settings)).toMatchObject({ schema: 'public', hasProfile: true });
      expect(parse({}).hasProfile).toBe(false);
      expect(parse({ headers: { 'accept-profile': 'public' } }).hasProfile).toBe(true);
    });

    it('refuses a schema that is not exposed', () => {
      expect(() => parse({ headers: { 'accept-profile': 'auth' } }, settings)).toThrowError(
        expect.objectContaining({
          code: 'PGRST106',
          message: 'Invalid schema: auth',
          hint: 'Only the following schemas are exposed: public, api',
        }),
      );
    });
  });

  it('reports one fault at a time in PostgREST’s order', () => {
    const request = {
      method: 'PURGE',
      path: '/a/b/c',
      rawQuery: 'id=x&limit=-1',
      headers: { 'content-profile': 'nope', 'accept-profile': 'nope' } as Record<string, string>,
      body: bytes('{'),
    };
    const codeOf = () => errorOf(() => parse(request)).code;
    const codes = [codeOf()];
    request.path = '/items';
    codes.push(codeOf());
    request.headers = {};
    codes.push(codeOf());
    request.method = 'PUT';
    codes.push(codeOf());
    request.rawQuery = 'limit=-1';
    codes.push(codeOf());
    request.rawQuery = 'limit=1';
    codes.push(codeOf());
    request.rawQuery = '';
    codes.push(codeOf());
    expect(codes).toEqual([
      'PGRST125',
      'PGRST106',
      'PGRST117',
      'PGRST100',
      'PGRST103',
      'PGRST114',
      'PGRST102',
    ]);
  });

  it('reads tx only where db-tx-end allows it', () => {
    const headers = { prefer: 'tx=rollback' };
    expect(parse({ headers }).preferences.tx).toBeUndefined();
    expect(parse({ headers }, { dbTxEnd: 'commit-allow-override' }).preferences.tx).toBe('rollback');
  });

  describe('requests of real clients', () => {
    it('reads an insert of FlutterFlow', () => {
      const request = parse({
        method: 'POST',
        rawQuery: 'select=%2A&limit=1',
        headers: {
          accept: 'application/vnd.pgrst.object+json',
          prefer: 'return=representation',
          'content-type': 'application/json; charset=utf-8',
        },
        body: bytes('{"name":"x"}'),
      });
      expect(request).toMatchObject({
        accept: [{ kind: 'object', nullsStripped: false }],
        preferences: { return: 'representation' },
        range: { offset: 0, limit: 1 },
        payload: { kind: 'json', keys: ['name'] },
      });
    });

    it('reads a bulk upsert of postgrest-js', () => {
      const request = parse({
        method: 'POST',
        rawQuery: 'on_conflict=id&columns=%22id%22%2C%22full+name%22',
        headers: { prefer: 'resolution=merge-duplicates,return=minimal', 'content-type': 'application/json' },
        body: bytes('[{"id":1,"full name":"x"},{"id":2}]'),
      });
      expect(request.query).toMatchObject({ onConflict: ['id'], columns: ['full name', 'id'] });
      expect(request.payload).toMatchObject({ isUnchecked: true, isArray: true });
    });
  });
});
