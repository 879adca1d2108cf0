import { expect, test } from 'vitest';
import { FetchRequest } from '../../../http/fetch-request.ts';
import { gatewayHeaders } from '../../../http/response-headers.ts';
import { parsePostgrestSettings } from '../../../registry/postgrest-settings.ts';

function headersFor(traceHeader: string, sent: Readonly<Record<string, string>>) {
  const http = new FetchRequest(new Request('http://acme.localhost/rest/v1/films', { headers: sent }));
  const settings = parsePostgrestSettings({ 'server-trace-header': traceHeader });
  const headers: Record<string, string> = {};
  gatewayHeaders(http, { requestId: 'an-id-of-a-request', settings, hasServer: true })(headers);
  return headers;
}

test('a trace header comes back as it was sent', () => {
  expect(headersFor('X-Trace', { 'x-trace': 'abc' })).toMatchObject({ 'X-Trace': 'abc' });
});

test.each(['X-Content-Type-Options', 'X-Request-Id', 'Server', 'Vary', 'x-content-type-options'])(
  'a trace header does not stand in for %s',
  (name) => {
    expect(headersFor(name, { [name]: 'of the client' })[name]).not.toBe('of the client');
  },
);
