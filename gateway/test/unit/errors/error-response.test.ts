import { expect, test } from 'vitest';
import { errorBody, errorResponse } from '../../../errors/error-response.ts';
import { GatewayError } from '../../../errors/gateway-error.ts';
import { fetchResponse } from '../../../http/fetch-response.ts';

const CONTEXT = { headersOnly: false, verbosity: 'verbose' } as const;

function responseTo(...given: Parameters<typeof errorResponse>): Response {
  return fetchResponse(errorResponse(...given));
}

async function shown(response: Response): Promise<object> {
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  };
}

test("the body has PostgREST's four keys in its order, null where there is nothing", async () => {
  const error = new GatewayError({
    code: '42P01',
    status: 404,
    message: 'relation "test.nope" does not exist',
  });
  expect(await shown(responseTo(error, CONTEXT))).toEqual({
    status: 404,
    headers: { 'content-type': 'application/json; charset=utf-8', 'proxy-status': 'PostgREST; error=42P01' },
    body: '{"code":"42P01","details":null,"hint":null,"message":"relation \\"test.nope\\" does not exist"}',
  });
});

test('details may be a list', () => {
  const details = [
    { cardinality: 'many-to-one', embedding: 'a with b', relationship: 'fk using a(x) and b(id)' },
  ];
  const error = new GatewayError('PGRST201', { details, hint: 'h' });
  expect(JSON.parse(errorBody(error, 'verbose'))).toEqual({
    code: 'PGRST201',
    details,
    hint: 'h',
    message: 'Could not embed because more than one relationship was found',
  });
});

test('minimal verbosity leaves code and message', () => {
  const error = new GatewayError('PGRST116', { details: 'The result contains 0 rows' });
  expect(errorBody(error, 'minimal')).toBe(
    '{"code":"PGRST116","message":"Cannot coerce the result to a single JSON object"}',
  );
});

test('HEAD gets no body', async () => {
  const response = responseTo(new GatewayError('PGRST205'), { ...CONTEXT, headersOnly: true });
  expect([response.status, response.body]).toEqual([404, null]);
});

test('every 503 says when to come back', () => {
  expect(responseTo(new GatewayError('PGRST000'), CONTEXT).headers.get('retry-after')).toBe('1');
  const error = new GatewayError('GW103', { headers: { 'Retry-After': '5' } });
  expect(responseTo(error, CONTEXT).headers.get('retry-after')).toBe('5');
  expect(responseTo(new GatewayError('PGRST003'), CONTEXT).headers.has('retry-after')).toBe(false);
});

test("an error's headers replace ours and the gateway's replace both, names compared without case", () => {
  const error = new GatewayError({
    code: '1',
    status: 402,
    message: 'm',
    headers: { 'content-type': 'text/x', 'X-A': '1' },
  });
  const response = responseTo(error, {
    ...CONTEXT,
    addHeaders: (headers) => {
      headers['X-a'] = '2';
      headers['Server-Timing'] = 'jwt;dur=1';
    },
  });
  expect(Object.fromEntries(response.headers)).toEqual({
    'content-type': 'text/x',
    'proxy-status': 'PostgREST; error=1',
    'server-timing': 'jwt;dur=1',
    'x-a': '2',
  });
});

test('a raised code or text cannot start another header', () => {
  const error = new GatewayError({
    code: 'a\r\nSet-Cookie: x=1',
    status: 402,
    statusText: 'Pay\r\nmore',
    message: 'm',
    headers: { 'WWW-Authenticate': 'a\nb' },
  });
  const response = responseTo(error, CONTEXT);
  expect(response.headers.get('proxy-status')).toBe('PostgREST; error=a  Set-Cookie: x=1');
  expect(response.headers.get('www-authenticate')).toBe('a b');
  expect(response.statusText).toBe('Pay  more');
  expect(response.headers.has('set-cookie')).toBe(false);
});

test('a raised status without a body has none', () => {
  const error = new GatewayError({ code: 'PT204', status: 204, message: 'm' });
  expect(responseTo(error, CONTEXT).body).toBeNull();
});
