import { connect } from 'node:net';
import { serve } from '@hono/node-server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errorResponse } from '../../errors/error-response.ts';
import { GatewayError } from '../../errors/gateway-error.ts';
import { headerTextOrSpaces } from '../../errors/header-text.ts';
import { finishResponse } from '../../respond/finish-response.ts';

const NO_WISHES = { responseHeaders: null, responseStatus: null };
const JSON_TYPE = { 'Content-Type': 'application/json; charset=utf-8' };

const RESPONSES: Readonly<Record<string, () => Response>> = {
  '/rows': () => {
    const headers = { ...JSON_TYPE, 'Content-Location': headerTextOrSpaces('/café ☕') };
    return finishResponse({ status: 200, headers, body: '[{"é":1}]' }, NO_WISHES, {});
  },
  '/head': () => finishResponse({ status: 200, headers: { ...JSON_TYPE }, body: undefined }, NO_WISHES, {}),
  '/created': () => finishResponse({ status: 201, headers: {}, body: '' }, NO_WISHES, {}),
  '/changed': () => finishResponse({ status: 204, headers: {}, body: '' }, NO_WISHES, {}),
  '/cookies': () => {
    const responseHeaders = '[{"Set-Cookie":"a=1"},{"Set-Cookie":"b=é"}]';
    return finishResponse({ status: 201, headers: {}, body: '' }, { ...NO_WISHES, responseHeaders }, {});
  },
  '/error': () => {
    const error = new GatewayError({ code: '1', status: 402, message: 'é', headers: { 'X-A': 'é' } });
    return errorResponse(error, { headersOnly: false, verbosity: 'minimal' });
  },
};

let server: ReturnType<typeof serve>;
let port = 0;

beforeAll(async () => {
  await new Promise<void>((resolve) => {
    const fetch = (request: Request): Response => RESPONSES[new URL(request.url).pathname]!();
    server = serve({ fetch, port: 0, hostname: '127.0.0.1' }, (address) => {
      port = address.port;
      resolve();
    });
  });
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

/** What is on the wire, without the headers that Node adds. */
async function onTheWire(method: string, path: string): Promise<string> {
  const chunks: Buffer[] = [];
  const socket = connect(port, '127.0.0.1');
  socket.end(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks)
    .toString('utf8')
    .replaceAll(/^(date|connection|vary|proxy-status): .*\r\n/gim, '')
    .replaceAll('\r', '');
}

test('names and rows beyond ASCII are UTF-8 once', async () => {
  expect(await onTheWire('GET', '/rows')).toBe(
    'HTTP/1.1 200 OK\nContent-Type: application/json; charset=utf-8\nContent-Location: /café ☕\nContent-Length: 10\n\n[{"é":1}]',
  );
});

test('HEAD has no Content-Length', async () => {
  expect(await onTheWire('HEAD', '/head')).toBe(
    'HTTP/1.1 200 OK\nContent-Type: application/json; charset=utf-8\n\n',
  );
});

test('201 without rows has Content-Length 0, and 204 none', async () => {
  expect(await onTheWire('POST', '/created')).toBe('HTTP/1.1 201 Created\nContent-Length: 0\n\n');
  expect(await onTheWire('PATCH', '/changed')).toBe('HTTP/1.1 204 No Content\n\n');
});

test('two cookies are two headers, and no content type is made up', async () => {
  expect(await onTheWire('POST', '/cookies')).toBe(
    'HTTP/1.1 201 Created\ncontent-length: 0\nset-cookie: a=1\nset-cookie: b=é\n\n',
  );
});

test('an error with raised headers beyond ASCII is UTF-8 once', async () => {
  expect(await onTheWire('GET', '/error')).toBe(
    'HTTP/1.1 402 Payment Required\nContent-Type: application/json; charset=utf-8\nX-A: é\nContent-Length: 27\n\n{"code":"1","message":"é"}',
  );
});
