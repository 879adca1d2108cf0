import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../../errors/gateway-error.ts';
import { type Given, respond } from './response-builder.ts';

const WRITE: Given = {
  method: 'POST',
  url: '/films',
  body: '{}',
  headers: { 'content-type': 'application/json' },
};

function failure(row: { responseHeaders?: string; responseStatus?: string }): unknown {
  try {
    respond({}, { row });
  } catch (error) {
    return error instanceof GatewayError ? [error.code, error.status, error.details] : error;
  }
  return undefined;
}

describe('response.headers', () => {
  test('adds headers and replaces ours whatever the case, without doubling them', () => {
    const responseHeaders = '[{"X-A":"1"},{"content-type":"text/x"},{"VARY":"Cookie"}]';
    const response = respond({}, { row: { responseHeaders } });
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-location': '/films',
      'content-range': '0-0/*',
      'content-type': 'text/x',
      vary: 'Cookie',
      'x-a': '1',
    });
  });

  test('may set several cookies', () => {
    const responseHeaders = '[{"Set-Cookie":"a=1"},{"Set-Cookie":"b=2"}]';
    expect(respond({}, { row: { responseHeaders } }).headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });

  test('that make a page of it make it one that leaks no address and is not framed, unless they say otherwise', () => {
    const page = respond({}, { row: { responseHeaders: '[{"content-type":"text/html"}]' } });
    expect(Object.fromEntries(page.headers)).toMatchObject({
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'SAMEORIGIN',
    });
    const responseHeaders = '[{"Content-Type":"image/svg+xml"},{"x-frame-options":"DENY"}]';
    expect(respond({}, { row: { responseHeaders } }).headers.get('x-frame-options')).toBe('DENY');
    expect(respond({}, {}).headers.has('x-frame-options')).toBe(false);
  });

  test('cannot make a proxy answer with something else', () => {
    const responseHeaders = '[{"X-Accel-Redirect":"/internal"},{"x-sendfile":"/etc/passwd"},{"X-A":"1"}]';
    const { headers } = respond({}, { row: { responseHeaders } });
    expect([...headers.keys()].filter((name) => name.startsWith('x-'))).toEqual(['x-a']);
  });

  test('cannot say where the body ends', async () => {
    const responseHeaders =
      '[{"Content-Length":"1"},{"transfer-encoding":"x"},{"Connection":"close"},{"X-A":"1"}]';
    const response = respond({}, { row: { responseHeaders } });
    expect(
      ['content-length', 'transfer-encoding', 'connection'].some((name) => response.headers.has(name)),
    ).toBe(false);
    expect(response.headers.get('x-a')).toBe('1');
  });

  test("does not replace the gateway's own", () => {
    const responseHeaders = '[{"Access-Control-Allow-Origin":"https://evil.example"}]';
    const extraHeaders = {
      'Access-Control-Allow-Origin': 'https://app.example',
      'Server-Timing': 'jwt;dur=1',
    };
    const { headers } = respond({}, { row: { responseHeaders }, extraHeaders });
    expect(headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(headers.get('server-timing')).toBe('jwt;dur=1');
  });

  test('beyond ASCII travels as UTF-8 bytes', () => {
    const value = respond({}, { row: { responseHeaders: '[{"X-A":"é"}]' } }).headers.get('x-a');
    expect(value).toBe('Ã©');
  });

  test.each([
    '{"a":"b"}',
    'null',
    '""',
    '[1]',
    '[[]]',
    '[{}]',
    '[{"a":1}]',
    '[{"a":"1","b":"2"}]',
    'x',
    '[null]',
  ])('%s is PGRST111', (responseHeaders) => {
    expect(failure({ responseHeaders })).toEqual(['PGRST111', 500, undefined]);
  });

  test.each([
    '[{"X-A":"1\\r\\nSet-Cookie: a=b"}]',
    '[{"X-A":"1\\n"}]',
    '[{"X A":"1"}]',
    '[{"":"1"}]',
    '[{"X:A":"1"}]',
  ])('%s would not be one header, hence PGRST111', (responseHeaders) => {
    expect(failure({ responseHeaders })).toEqual(['PGRST111', 500, expect.stringContaining('The header "')]);
  });

  test('an empty list changes nothing', () => {
    expect(respond({}, { row: { responseHeaders: '[]' } }).headers.get('content-type')).toContain('json');
  });
});

describe('response.status', () => {
  test('replaces ours', () => {
    expect(respond({}, { row: { responseStatus: '418', body: '[]' } }).status).toBe(418);
    expect(respond({}, { row: { responseStatus: '404x' } }).status).toBe(404);
  });

  test('a status that has no body has none', () => {
    const response = respond(WRITE, { row: { responseStatus: '204', body: '' } });
    expect([response.status, response.body, response.headers.has('content-length')]).toEqual([
      204,
      null,
      false,
    ]);
    expect(respond({}, { row: { responseStatus: '304' } }).body).toBeNull();
  });

  test('a 204 of ours that becomes a 200 has an empty body', () => {
    const given = { method: 'DELETE', url: '/films?id=eq.1' };
    const response = respond(given, { row: { responseStatus: '200', body: '' } });
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '0']);
  });

  test.each(['abc', '-1', ' 404', '99', '100', '199', '600', '1000'])('%s is PGRST112', (responseStatus) => {
    expect(failure({ responseStatus })).toEqual(['PGRST112', 500, undefined]);
  });

  test('is looked at before the headers', () => {
    expect(failure({ responseStatus: 'x', responseHeaders: 'x' })).toEqual(['PGRST112', 500, undefined]);
  });
});
