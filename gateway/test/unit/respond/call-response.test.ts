import { expect, test } from 'vitest';
import { respond, shown } from './response-builder.ts';

test('a call is answered with its value, and without Content-Location', async () => {
  expect(await shown(respond({ url: '/rpc/answer' }, { row: { body: '42' } }))).toEqual({
    status: 200,
    headers: { 'content-range': '0-0/*', 'content-type': 'application/json; charset=utf-8' },
    body: '42',
  });
});

test('a routine that returns nothing is 204', async () => {
  expect(await shown(respond({ method: 'POST', url: '/rpc/touch' }, { row: { body: '' } }))).toEqual({
    status: 204,
    headers: { 'content-range': '0-0/*' },
    body: null,
  });
});

test('HEAD of a call has no body', () => {
  const response = respond({ method: 'HEAD', url: '/rpc/answer' }, { row: { body: '' } });
  expect([response.status, response.body, response.headers.has('content-length')]).toEqual([
    200,
    null,
    false,
  ]);
});

test('a page of the result is 206 when the total is known, and 416 past it', async () => {
  const headers = { prefer: 'count=exact' };
  const page = respond({ url: '/rpc/answer?limit=1', headers }, { row: { totalCount: '3', pageCount: '1' } });
  expect([page.status, page.headers.get('content-range')]).toEqual([206, '0-0/3']);
  const past = respond(
    { url: '/rpc/answer?offset=4', headers },
    { row: { totalCount: '3', pageCount: '0' } },
  );
  expect(past.status).toBe(416);
  expect(await past.json()).toMatchObject({ code: 'PGRST103' });
});

test('preferences of writes are not echoed on calls', () => {
  const headers = { prefer: 'return=representation, missing=default, handling=strict, max-affected=5' };
  const returns = {
    kind: 'composite',
    type: 'public.films',
    relation: undefined,
    isAlias: false,
    isSet: true,
  };
  const response = respond(
    { url: '/rpc/answer' },
    {
      plan: (plan) =>
        plan.kind === 'call' ? ({ ...plan, routine: { ...plan.routine, returns } } as typeof plan) : plan,
    },
  );
  expect(response.headers.has('preference-applied')).toBe(false);
  const post = respond({
    method: 'POST',
    url: '/rpc/touch',
    headers: { prefer: headers.prefer.replace(/, h.*/, '') },
  });
  expect(post.headers.has('preference-applied')).toBe(false);
});
