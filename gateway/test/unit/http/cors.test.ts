import { expect, test } from 'vitest';
import { corsHeaders, isPreflight, preflightHeaders } from '../../../http/cors.ts';
import { type PostgrestRecord, parsePostgrestSettings } from '../../../registry/postgrest-settings.ts';

const ORIGIN = 'https://app.example.com';

const settings = (record: PostgrestRecord) => parsePostgrestSettings(record);

test('without an origin there is nothing to say', () => {
  expect(corsHeaders(undefined)).toEqual({});
  expect(preflightHeaders({})).toEqual({});
});

test('every origin may read unless origins are named', () => {
  expect(corsHeaders(ORIGIN)).toMatchObject({ 'Access-Control-Allow-Origin': '*' });
  expect(corsHeaders(ORIGIN, settings({ 'server-cors-allowed-origins': ORIGIN }))).toMatchObject({
    'Access-Control-Allow-Origin': ORIGIN,
    'Access-Control-Allow-Credentials': 'true',
  });
  expect(
    corsHeaders('https://evil.example.com', settings({ 'server-cors-allowed-origins': ORIGIN })),
  ).toEqual({});
});

test('the headers asked for are given back, and nothing that is no header name', () => {
  const request = {
    origin: ORIGIN,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'Foo, x-retry-count,, b ad, a\u0000',
  };
  expect(preflightHeaders(request)).toMatchObject({
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Allow-Methods': 'GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD',
    'Access-Control-Allow-Headers':
      'Authorization, Foo, x-retry-count, Accept, Accept-Language, Content-Language',
    'Access-Control-Max-Age': '86400',
  });
});

test('who asks for no headers is told the usual ones', () => {
  const headers = preflightHeaders({ origin: ORIGIN })['Access-Control-Allow-Headers'];
  for (const name of [
    'Authorization',
    'apikey',
    'x-client-info',
    'prefer',
    'x-retry-count',
    'accept-profile',
  ]) {
    expect(headers).toContain(name);
  }
});

test('a preflight is an OPTIONS with an origin and a method to come', () => {
  const headers = { origin: ORIGIN, 'access-control-request-method': 'GET' };
  expect(isPreflight('OPTIONS', headers)).toBe(true);
  expect(isPreflight('GET', headers)).toBe(false);
  expect(isPreflight('OPTIONS', { origin: ORIGIN })).toBe(false);
});

test('who turned tags of representations on lets browsers read them', () => {
  const exposed = (record: PostgrestRecord) =>
    corsHeaders(ORIGIN, settings(record))['Access-Control-Expose-Headers']?.split(', ');
  expect(exposed({})).not.toContain('ETag');
  expect(exposed({ 'cascata-etag-enabled': true })).toContain('ETag');
  expect(exposed({ 'cascata-etag-enabled': true, 'server-cors-allowed-origins': ORIGIN })).toContain('ETag');
});

test('who turned keyset pages or QUERY on lets browsers use them', () => {
  const exposed = corsHeaders(ORIGIN, settings({ 'cascata-keyset-enabled': true }));
  expect(exposed['Access-Control-Expose-Headers']?.split(', ')).toContain('Next-Cursor');
  const methods = preflightHeaders({ origin: ORIGIN }, settings({ 'cascata-query-method-enabled': true }));
  expect(methods['Access-Control-Allow-Methods']?.split(', ')).toContain('QUERY');
});
