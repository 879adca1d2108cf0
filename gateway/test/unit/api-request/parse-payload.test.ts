import { describe, expect, it } from 'vitest';
import type { Payload } from '../../../api-request/payload.ts';
import { bytes, errorOf, parse } from './support.ts';

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly type?: string;
  readonly query?: string;
}

function payloadOf(
  body: string | Uint8Array | undefined,
  { method = 'POST', path = '/items', type, query }: Sent = {},
) {
  return parse({
    method,
    path,
    rawQuery: query ?? '',
    headers: type === undefined ? {} : { 'content-type': type },
    body: typeof body === 'string' ? bytes(body) : body,
  }).payload;
}

function json(
  text: string,
  keys: readonly string[],
  rest: Partial<Extract<Payload, { kind: 'json' }>> = {},
): Payload {
  return { kind: 'json', text, isArray: text.trimStart().startsWith('['), keys, isUnchecked: false, ...rest };
}

const invalid = (message: string) => ({ code: 'PGRST102', message, details: undefined });

describe('JSON bodies', () => {
  it.each([
    ['{"b":1,"a":{"x":[1]}}', ['a', 'b']],
    ['[{"a":1,"b":2},{"b":3,"a":4}]', ['a', 'b']],
    [' [ {} , {} ] ', []],
    ['{}', []],
    ['{"n":12345678901234567890.50,"__proto__":1}', ['__proto__', 'n']],
  ])('keeps the text of %s', (text, keys) => {
    expect(payloadOf(text)).toEqual(json(text, keys));
  });

  it.each(['"x"', '1', 'null', 'true', '[]', ' [ ] '])('takes %s for no rows', (text) => {
    expect(payloadOf(text)).toEqual(json('[]', []));
  });

  it.each(['', '{', '{"a":1} x', 'undefined', '\ufeff{}'])('refuses %j', (text) => {
    expect(errorOf(() => payloadOf(text))).toEqual(invalid('Empty or invalid json'));
  });

  it('refuses invalid UTF-8, with columns given as well', () => {
    const body = Uint8Array.from([0x22, 0xff, 0x22]);
    expect(errorOf(() => payloadOf(body))).toEqual(invalid('Empty or invalid json'));
    expect(errorOf(() => payloadOf(body, { query: 'columns=a' }))).toEqual(invalid('Empty or invalid json'));
  });

  it.each(['[1]', '[{"a":1},{"b":1}]', '[{"a":1},{"a":1,"b":1}]', '[{"a":1},2]', '[[]]', '[null]'])(
    'refuses rows that differ: %s',
    (text) => {
      expect(errorOf(() => payloadOf(text))).toEqual(invalid('All object keys must match'));
    },
  );

  it('does not look into the text when columns are given', () => {
    expect(payloadOf('\n [{"a":1},oops', { query: 'columns="b",a' })).toEqual(
      json('\n [{"a":1},oops', ['a', 'b'], { isArray: true, isUnchecked: true }),
    );
    expect(payloadOf('{"a":1}', { query: 'columns=a', method: 'PATCH' })).toEqual(
      json('{"a":1}', ['a'], { isUnchecked: true }),
    );
  });

  it('looks into the text of a PUT even when columns are given', () => {
    expect(payloadOf('{"a":1}', { query: 'columns=b', method: 'PUT' })).toEqual(json('{"a":1}', ['a']));
  });

  it('survives a million nested arrays', () => {
    const text = '['.repeat(1_000_000) + ']'.repeat(1_000_000);
    expect(errorOf(() => payloadOf(text)).code).toBe('PGRST102');
  });

  it('gives a call without a body no arguments, and a single unnamed parameter the empty text', () => {
    expect(payloadOf(undefined, { path: '/rpc/f' })).toEqual({ ...json('', []), isUnchecked: true });
  });

  it.each(['{"a":"\\ud800"}', '[{"a":["\\uDC00x"]}]', '{"\\ud800":1}'])(
    'refuses half a surrogate pair: %s',
    (text) => {
      expect(errorOf(() => payloadOf(text))).toEqual(invalid('Empty or invalid json'));
    },
  );

  it('takes whole surrogate pairs and escaped backslashes', () => {
    const text = '{"a":"\\ud83d\\ude00","b":"\\\\ud800"}';
    expect(payloadOf(text)).toEqual(json(text, ['a', 'b']));
  });

  it.each([
    ['GET', '/items'],
    ['DELETE', '/items'],
    ['GET', '/rpc/f'],
    ['OPTIONS', '/items'],
  ])('%s %s has no payload, whatever its body', (method, path) => {
    expect(payloadOf('{', { method, path })).toBeUndefined();
  });
});

describe('CSV bodies', () => {
  const csv = (text: string) => payloadOf(text, { type: 'text/csv' });

  it.each([
    ['id,name\n1,a\n2,NULL', '[{"id":"1","name":"a"},{"id":"2","name":null}]'],
    ['id,name\r\n\r\n1,"a ""b"", c\n"\r\n', '[{"id":"1","name":"a \\"b\\", c\\n"}]'],
    ['id,name\n1,\n', '[{"id":"1","name":""}]'],
    ['id,name\n1,"NULL"\r2,ü', '[{"id":"1","name":null},{"id":"2","name":"ü"}]'],
  ])('reads %j', (text, rows) => {
    expect(csv(text)).toEqual(json(rows, ['id', 'name']));
  });

  it('takes the last column of a repeated name', () => {
    expect(csv('id,id\n1,2\n')).toEqual(json('[{"id":"2"}]', ['id']));
  });

  it('gives no rows for a header alone', () => {
    expect(csv('id,name\n')).toEqual(json('[]', []));
  });

  it.each(['a,b\n1,2\n3', 'a,b\n1\n2,3'])('refuses lines of unequal length: %j', (text) => {
    expect(errorOf(() => csv(text))).toEqual(invalid('All lines must have same number of fields'));
  });

  it('does not count what is beyond the header, nor columns that no line has', () => {
    expect(csv('a,b\n1,2,3\n4,5')).toEqual(json('[{"a":"1","b":"2"},{"a":"4","b":"5"}]', ['a', 'b']));
    expect(csv('a,b\n1')).toEqual(json('[{"a":"1"}]', ['a']));
  });

  it.each([
    ['', 'parse error (not enough input) at ""'],
    ['id,name', 'parse error (not enough input) at ""'],
    ['id\n"open', 'parse error (not enough input) at ""'],
    ['id,name\n33,"NULL"x\n', 'parse error (Failed reading: satisfy) at "x\\n"'],
    ['id,name\n33,a"b\n', 'parse error (Failed reading: satisfy) at "\\"b\\n"'],
  ])('refuses %j', (text, message) => {
    expect(errorOf(() => csv(text))).toEqual(invalid(message));
  });
});

describe('other bodies', () => {
  const form = 'application/x-www-form-urlencoded';

  it('reads a form for a relation as one row of strings', () => {
    expect(payloadOf('id=1&name=a+b%26&name=z&e', { type: form })).toEqual(
      json('{"id":"1","name":"z","e":""}', ['e', 'id', 'name']),
    );
  });

  it('reads a form for a call as its parameters', () => {
    expect(payloadOf('a=1&a=2&b', { type: form, path: '/rpc/f' })).toEqual({
      kind: 'form',
      params: [
        ['a', '1'],
        ['a', '2'],
        ['b', ''],
      ],
    });
  });

  it.each([
    ['text/plain', 'text'],
    ['text/xml; charset=utf-8', 'xml'],
    ['application/octet-stream', 'octet-stream'],
  ])('hands %s to a function as it is', (type, contentType) => {
    const body = Uint8Array.from([0xff, 0x00]);
    expect(payloadOf(body, { type, path: '/rpc/f' })).toEqual({ kind: 'raw', bytes: body, contentType });
  });

  it.each([
    ['text/plain', '/items', 'text/plain'],
    ['Image/PNG;a=1', '/rpc/f', 'Image/PNG;a=1'],
    ['application/vnd.pgrst.object', '/items', 'application/vnd.pgrst.object+json'],
  ])('refuses %s on %s', (type, path, shown) => {
    expect(errorOf(() => payloadOf('x', { type, path }))).toEqual(
      invalid(`Content-Type not acceptable: ${shown}`),
    );
  });
});
