import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorResponse } from '../../errors/error-response.ts';
import { GatewayError } from '../../errors/gateway-error.ts';
import { headerTextOrSpaces } from '../../errors/header-text.ts';
import type { HttpResponse } from '../../errors/http-response.ts';
import { fetchResponse } from '../../http/fetch-response.ts';
import { writeResponse } from '../../http/write-response.ts';
import { finishResponse } from '../../respond/finish-response.ts';

const NO_WISHES = { responseHeaders: null, responseStatus: null };
const JSON_TYPE = { 'Content-Type': 'application/json; charset=utf-8' };

const RESPONSES: Readonly<Record<string, () => HttpResponse>> = {
  '/rows': () => {
    const headers = { ...JSON_TYPE, 'Content-Location': headerTextOrSpaces('/café ☕') };
    return finishResponse({ status: 200, headers, body: '[{"é":1}]' }, NO_WISHES, () => {});
  },
  '/head': () =>
    finishResponse({ status: 200, headers: { ...JSON_TYPE }, body: undefined }, NO_WISHES, () => {}),
  '/created': () => finishResponse({ status: 201, headers: {}, body: '' }, NO_WISHES, () => {}),
  '/changed': () => finishResponse({ status: 204, headers: {}, body: '' }, NO_WISHES, () => {}),
  '/cookies': () => {
    const responseHeaders = '[{"Set-Cookie":"a=1"},{"Set-Cookie":"b=é"}]';
    return finishResponse(
      { status: 201, headers: {}, body: '' },
      { ...NO_WISHES, responseHeaders },
      () => {},
    );
  },
  '/broken': () => ({ status: 200, headers: { 'X-A': '1\r\nX-B: 2' }, body: 'x' }),
  '/error': () => {
    const error = new GatewayError({ code: '1', status: 402, message: 'é', headers: { 'X-A': 'é' } });
    return errorResponse(error, { headersOnly: false, verbosity: 'minimal' });
  },
};

/** The two ways out: straight to Node's response, and by the Fetch API's object and the adapter. */
const SERVERS: Readonly<Record<string, () => Server>> = {
  direct: () => createServer(({ url }, outgoing) => writeResponse(RESPONSES[url ?? '']!(), outgoing)),
  adapter: () => {
    const fetch = (request: Request): Response => fetchResponse(RESPONSES[new URL(request.url).pathname]!());
    return createAdaptorServer({ fetch }) as Server;
  },
};

/** What is on the wire, without the headers that Node adds, and header names without their case. */
async function onTheWire(port: number, method: string, path: string): Promise<string> {
  const chunks: Buffer[] = [];
  const socket = connect(port, '127.0.0.1');
  socket.end(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const [head = '', body = ''] = Buffer.concat(chunks).toString('utf8').split('\r\n\r\n');
  const [status = '', ...headers] = head
    .split('\r\n')
    .map((line) => line.replace(/^[\w-]+:/, (name) => name.toLowerCase()))
    .filter((line) => !/^(date|connection|vary|proxy-status):/.test(line));
  return [status, ...headers.sort(), '', body].join('\n');
}

describe.each(Object.entries(SERVERS))('%s', (_name, create) => {
  let server: Server;
  let port = 0;
  beforeAll(async () => {
    server = create();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  test('names and rows beyond ASCII are UTF-8 once', async () => {
    expect(await onTheWire(port, 'GET', '/rows')).toBe(
      'HTTP/1.1 200 OK\ncontent-length: 10\ncontent-location: /café ☕\ncontent-type: application/json; charset=utf-8\n\n[{"é":1}]',
    );
  });

  test('HEAD has no Content-Length', async () => {
    expect(await onTheWire(port, 'HEAD', '/head')).toBe(
      'HTTP/1.1 200 OK\ncontent-type: application/json; charset=utf-8\n\n',
    );
  });

  test('201 without rows has Content-Length 0, and 204 none', async () => {
    expect(await onTheWire(port, 'POST', '/created')).toBe('HTTP/1.1 201 Created\ncontent-length: 0\n\n');
    expect(await onTheWire(port, 'PATCH', '/changed')).toBe('HTTP/1.1 204 No Content\n\n');
  });

  test('two cookies are two headers, and no content type is made up', async () => {
    expect(await onTheWire(port, 'POST', '/cookies')).toBe(
      'HTTP/1.1 201 Created\ncontent-length: 0\nset-cookie: a=1\nset-cookie: b=é\n\n',
    );
  });

  test('an error with raised headers beyond ASCII is UTF-8 once', async () => {
    expect(await onTheWire(port, 'GET', '/error')).toBe(
      'HTTP/1.1 402 Payment Required\ncontent-length: 27\ncontent-type: application/json; charset=utf-8\nx-a: é\n\n{"code":"1","message":"é"}',
    );
  });
});

test('a header that cannot be written makes one answer a 500, and does not end the server', async () => {
  const faults: unknown[] = [];
  const server = createServer(({ url }, outgoing) =>
    writeResponse(RESPONSES[url ?? '']!(), outgoing, (cause) => faults.push(cause)),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  expect(await onTheWire(port, 'GET', '/broken')).toBe(
    'HTTP/1.1 500 Internal Server Error\ncontent-length: 70\ncontent-type: application/json; charset=utf-8\n\n{"code":"GW901","details":null,"hint":null,"message":"Internal error"}',
  );
  expect(await onTheWire(port, 'GET', '/created')).toMatch(/^HTTP\/1.1 201 /);
  expect(faults).toEqual([expect.objectContaining({ code: 'ERR_INVALID_CHAR' })]);
  await new Promise((resolve) => server.close(resolve));
});
