import { describe, expect, test } from 'vitest';
import { type Answer, type Given, respond, shown } from './response-builder.ts';

const ROW = '{"id":1,"lang":"en"}';
const JSON_TYPE = 'application/json; charset=utf-8';

function post(prefer: string | undefined, answer: Answer = {}, given: Given = {}): Response {
  const headers = { 'content-type': 'application/json', ...(prefer !== undefined && { prefer }) };
  return respond(
    { method: 'POST', body: ROW, ...given, headers },
    { ...answer, row: { body: '', ...answer.row } },
  );
}

describe('POST', () => {
  test('is 201 and empty', async () => {
    expect(await shown(post(undefined))).toEqual({
      status: 201,
      headers: { 'content-length': '0', 'content-range': '*/*' },
      body: null,
    });
  });

  test('return=representation has the rows', async () => {
    const row = { body: `[${ROW}]`, pageCount: '1' };
    expect(await shown(post('return=representation, count=exact', { row }))).toEqual({
      status: 201,
      headers: {
        'content-range': '*/1',
        'content-type': JSON_TYPE,
        'preference-applied': 'return=representation, count=exact',
      },
      body: `[${ROW}]`,
    });
  });

  test('return=headers-only says where the row is', () => {
    const row = { location: '[["id","1"],["lang","x y&z=1/é*(~)"]]' };
    const response = post('return=headers-only', { row });
    expect(response.headers.get('location')).toBe('/films?id=eq.1&lang=eq.x%20y%26z%3D1%2F%C3%A9%2A%28~%29');
    expect(response.headers.get('preference-applied')).toBe('return=headers-only');
  });

  test('a null in the key is said with is.null', () => {
    const response = post('return=headers-only', { row: { location: '[["id",null]]' } });
    expect(response.headers.get('location')).toBe('/films?id=is.null');
  });

  test.each([
    ['resolution=merge-duplicates', '1', 201],
    ['resolution=merge-duplicates', '0', 200],
    ['resolution=ignore-duplicates', '0', 201],
  ])('%s with %s rows inserted is %i', (prefer, insertedCount, status) => {
    const response = post(prefer, { row: { insertedCount } });
    expect([response.status, response.headers.get('preference-applied')]).toEqual([status, prefer]);
  });

  test('an upsert of nothing creates nothing, and is 200', () => {
    expect(post('resolution=merge-duplicates', {}, { body: '[]' }).status).toBe(200);
    expect(post(undefined, {}, { body: '[]' }).status).toBe(201);
  });

  test('resolution is echoed only where there is something to conflict with', () => {
    const prefer = 'resolution=merge-duplicates';
    const body = '{"line":"a"}';
    expect(post(prefer, {}, { url: '/log', body }).headers.has('preference-applied')).toBe(false);
    const response = post(prefer, {}, { url: '/log?on_conflict=line', body });
    expect(response.headers.get('preference-applied')).toBe(prefer);
  });

  test('the profile is named with a body only', () => {
    const settings = { 'db-schemas': 'public,api' };
    expect(post(undefined, {}, { settings }).headers.has('content-profile')).toBe(false);
    const response = post('return=representation', { row: { body: '[]' } }, { settings });
    expect(response.headers.get('content-profile')).toBe('public');
  });
});

describe('PATCH and DELETE', () => {
  function change(method: string, prefer: string, row: Answer['row']): Promise<object> {
    const body = method === 'PATCH' ? '{"title":"t"}' : undefined;
    const headers = { 'content-type': 'application/json', prefer };
    return shown(
      respond(
        { method, url: '/films?id=eq.1', headers, ...(body && { body }) },
        { row: { body: '', ...row } },
      ),
    );
  }

  test('without a body are 204', async () => {
    expect(await change('PATCH', 'return=minimal', { pageCount: '2' })).toEqual({
      status: 204,
      headers: { 'content-range': '0-1/*', 'preference-applied': 'return=minimal' },
      body: null,
    });
    expect(await change('DELETE', 'count=exact', { pageCount: '2' })).toEqual({
      status: 204,
      headers: { 'content-range': '*/2', 'preference-applied': 'count=exact' },
      body: null,
    });
  });

  test('with the rows are 200', async () => {
    const headers = { 'content-type': JSON_TYPE, 'preference-applied': 'return=representation' };
    expect(await change('PATCH', 'return=representation', { pageCount: '0', body: '[]' })).toEqual({
      status: 200,
      headers: { ...headers, 'content-range': '*/*' },
      body: '[]',
    });
    expect(await change('DELETE', 'return=representation', { pageCount: '1', body: '[{}]' })).toEqual({
      status: 200,
      headers: { ...headers, 'content-range': '*/*' },
      body: '[{}]',
    });
  });
});

describe('PUT', () => {
  function put(prefer: string, row: Answer['row']): Promise<object> {
    const headers = { 'content-type': 'application/json', prefer };
    const url = '/films?id=eq.1&lang=eq.en';
    return shown(respond({ method: 'PUT', url, headers, body: ROW }, { row: { body: '', ...row } }));
  }

  test('is 204 without a Content-Range', async () => {
    expect(await put('return=minimal', { insertedCount: '1' })).toEqual({
      status: 204,
      headers: { 'preference-applied': 'return=minimal' },
      body: null,
    });
  });

  test.each([
    ['1', 201],
    ['0', 200],
  ])('with the row and %s inserted is %i', async (insertedCount, status) => {
    expect(await put('return=representation', { insertedCount, body: `[${ROW}]` })).toEqual({
      status,
      headers: { 'content-type': JSON_TYPE, 'preference-applied': 'return=representation' },
      body: `[${ROW}]`,
    });
  });
});
