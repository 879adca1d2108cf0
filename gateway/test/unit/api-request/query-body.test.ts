import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseApiRequest } from '../../../api-request/parse-api-request.ts';
import { hasQueryBody, MAX_QUERY_BODY_BYTES, queryFromBody } from '../../../api-request/query-body.ts';
import { GatewayError } from '../../../errors/gateway-error.ts';
import { anInput, bytes, errorOf, SETTINGS } from './support.ts';

const BOTH = { cascataQueryMethodEnabled: true, cascataMethodOverrideEnabled: true };
const NEITHER = { cascataQueryMethodEnabled: false, cascataMethodOverrideEnabled: false };
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

const overridden = (override: string) => ({
  method: 'POST',
  headers: { 'x-http-method-override': override },
});

describe('whether the query is in the body', () => {
  test('is so for QUERY, and for a POST that says GET, where the project wants them', () => {
    expect(hasQueryBody({ method: 'QUERY', headers: {} }, BOTH)).toBe(true);
    expect(hasQueryBody(overridden('GET'), BOTH)).toBe(true);
    expect(hasQueryBody({ method: 'QUERY', headers: {} }, NEITHER)).toBe(false);
    expect(hasQueryBody(overridden('GET'), NEITHER)).toBe(false);
  });

  test('is never so for anything else', () => {
    expect(hasQueryBody({ method: 'POST', headers: {} }, BOTH)).toBe(false);
    expect(hasQueryBody(overridden('POST'), BOTH)).toBe(false);
    for (const method of ['GET', 'HEAD', 'PATCH', 'PUT', 'DELETE', 'OPTIONS']) {
      expect(hasQueryBody({ ...overridden('GET'), method }, BOTH)).toBe(false);
    }
  });

  test.each(['PATCH', 'get', 'GET, GET', ''])('a POST cannot be made %j', (override) => {
    expect(errorOf(() => hasQueryBody(overridden(override), BOTH)).code).toBe('GW602');
    expect(hasQueryBody(overridden(override), NEITHER)).toBe(false);
  });
});

test('a parameter longer than any URL is refused without being read a second time, or shown as a whole', () => {
  const rawQuery = `select=${'a,'.repeat(20_000)}`;
  const { code, message } = errorOf(() => parseApiRequest(anInput({ rawQuery }), SETTINGS));
  expect([code, message.length < 300]).toEqual(['PGRST100', true]);
});

describe('the GET it stands for', () => {
  const query = (rawQuery: string, body: string, headers: Record<string, string> = FORM) =>
    queryFromBody(anInput({ method: 'QUERY', rawQuery, body: bytes(body), headers })).rawQuery;

  test('has the URL’s query first, then the body’s', () => {
    expect(query('select=id', 'id=eq.1&order=id')).toBe('select=id&id=eq.1&order=id');
    expect(query('', 'id=eq.1')).toBe('id=eq.1');
    expect(query('select=id', '', {})).toBe('select=id');
    expect(query('', 'a=eq.%C3%A9+é', { 'content-type': `${FORM['content-type']}; charset=UTF-8` })).toBe(
      'a=eq.%C3%A9+é',
    );
  });

  test('reads as the same request as that GET', () => {
    const asQuery = queryFromBody(
      anInput({ method: 'QUERY', rawQuery: 'select=id', body: bytes('id=gt.1&limit=2'), headers: FORM }),
    );
    const { isQueryInBody, ...parsed } = parseApiRequest(asQuery, SETTINGS);
    expect(isQueryInBody).toBe(true);
    expect(parsed).toEqual(
      parseApiRequest(anInput({ rawQuery: 'select=id&id=gt.1&limit=2', headers: FORM }), SETTINGS),
    );
  });

  test.each([{}, { 'content-type': 'application/json' }, { 'content-type': '' }])(
    'is refused for a body of type %j',
    (headers) => {
      expect(errorOf(() => query('', 'id=eq.1', headers)).code).toBe('GW601');
    },
  );

  test('is refused for bytes that are not UTF-8', () => {
    const input = anInput({ method: 'QUERY', headers: FORM, body: Uint8Array.of(0xff) });
    expect(errorOf(() => queryFromBody(input)).code).toBe('GW108');
  });

  test('any bytes give an ApiRequest or a GatewayError', () => {
    const text = fc.array(
      fc.constantFrom(...'()"\\,.:;!-><*{}[]=&%+?/ \0é', 'eq', 'in.(', 'select', 'order'),
      {
        maxLength: 20,
      },
    );
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      text.map((tokens) => bytes(tokens.join(''))),
    );
    const type = fc.oneof(
      fc.constant(FORM['content-type']),
      fc.uint8Array({ maxLength: 40 }).map((given) => Buffer.from(given).toString('latin1')),
    );
    fc.assert(
      fc.property(body, type, fc.constantFrom('/items', '/rpc/f', '/'), (given, contentType, path) => {
        try {
          const headers = { 'content-type': contentType };
          parseApiRequest(queryFromBody(anInput({ method: 'QUERY', path, body: given, headers })), SETTINGS);
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test.each(['(', 'a(', '(and', 'not.', '"', '\\', '->a', 'a,', '%', '&', 'a=eq.1&', 'in.(', ','])(
    '128 KiB of %j gives an ApiRequest or a GatewayError',
    (token) => {
      for (const prefix of ['', 'or=(', 'select=', 'order=', 'a=in.(']) {
        const body = bytes(prefix + token.repeat(MAX_QUERY_BODY_BYTES / token.length));
        try {
          parseApiRequest(queryFromBody(anInput({ method: 'QUERY', body, headers: FORM })), SETTINGS);
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
        }
      }
    },
  );
});
