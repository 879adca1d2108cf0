import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BatchPart, parseBatch, partHeaders } from '../../../api-request/parse-batch.ts';
import { GatewayError } from '../../../errors/gateway-error.ts';

const RUNS = { numRuns: 500 };
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (text: string, maxParts = 100): readonly BatchPart[] => parseBatch(encode(text), maxParts);
const bodyOf = (part: BatchPart | undefined): string | undefined =>
  part?.body === undefined ? undefined : Buffer.from(part.body).toString();

function refusal(text: string, maxParts?: number): unknown {
  try {
    parse(text, maxParts);
  } catch (error) {
    if (error instanceof GatewayError) return [error.code, error.index, error.details];
    throw error;
  }
  return 'accepted';
}

/** JSON as a client might have written it, with blanks, escapes where none are needed, numbers that JavaScript cannot hold. */
const blanks = fc.array(fc.constantFrom(' ', '\n', '\t', '\r'), { maxLength: 2 }).map((all) => all.join(''));
const jsonText = fc.letrec<{ value: string; text: string }>((tie) => ({
  text: fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 6 }).map((text) => JSON.stringify(text)),
    fc.constantFrom('"\\\\"', '"\\""', '"]}"', '"\\u005c\\\\\\""', '"body"'),
  ),
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    fc.constantFrom('null', 'true', 'false', '0', '-0.0', '1e400', '12345678901234567890.10', '1E+2'),
    tie('text'),
    fc
      .tuple(blanks, fc.array(fc.tuple(blanks, tie('value'), blanks), { maxLength: 3 }))
      .map(([blank, all]) => `[${blank}${all.map((parts) => parts.join('')).join(',')}]`),
    fc
      .tuple(
        blanks,
        fc.array(fc.tuple(blanks, tie('text'), blanks, fc.constant(':'), blanks, tie('value'), blanks), {
          maxLength: 3,
        }),
      )
      .map(([blank, all]) => `{${blank}${all.map((parts) => parts.join('')).join(',')}}`),
  ),
})).value;

describe('any bytes at all', () => {
  const soup = fc
    .array(
      fc.constantFrom(
        ...'[]{}",:\\ \n0e-.'.split(''),
        '"method":"POST"',
        '"path":"/a"',
        '"body":',
        '"headers":{',
        'null',
        '\\u0022',
        '\ud800',
        'é',
      ),
      { maxLength: 30 },
    )
    .map((all) => encode(all.join('')));
  it('are parts or a GatewayError, never anything else', () => {
    fc.assert(
      fc.property(fc.oneof(soup, fc.uint8Array({ maxLength: 200 }), jsonText.map(encode)), (bytes) => {
        try {
          expect(Array.isArray(parseBatch(bytes, 10))).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
          expect((error as GatewayError).status).toBeLessThan(500);
        }
      }),
      RUNS,
    );
  });
});

describe('a JSON body', () => {
  it('is handed on byte for byte, whatever stands around it and however its key is written', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(jsonText, blanks, fc.constantFrom('"body"', '"bo\\u0064y"'), jsonText), {
          minLength: 1,
          maxLength: 4,
        }),
        (bodies) => {
          const parts = bodies.map(
            ([body, blank, key, decoy]) =>
              `${blank}{${blank}"body"${blank}:${decoy},"path":"/a?x=\\"]}","method":${blank}"POST",${key}${blank}:${blank}${body}${blank}}`,
          );
          const parsed = parse(`${bodies[0]?.[1]}[${parts.join(',')}]`);
          expect(parsed.map(bodyOf)).toEqual(bodies.map(([body]) => (body === 'null' ? undefined : body)));
        },
      ),
      RUNS,
    );
  });

  it('of another content type is the text itself, or bytes in base64', () => {
    const parts = parse(
      JSON.stringify([
        { method: 'POST', path: '/a', headers: { 'Content-Type': 'text/csv' }, body: 'a,b\n1,"é"' },
        {
          method: 'POST',
          path: '/rpc/b',
          headers: { 'content-type': 'application/octet-stream' },
          encoding: 'base64',
          body: '/wAB',
        },
        { method: 'DELETE', path: '/a?id=eq.1', body: null },
      ]),
    );
    expect(parts.map(({ body }) => body && [...body])).toEqual([
      [...Buffer.from('a,b\n1,"é"')],
      [255, 0, 1],
      undefined,
    ]);
  });
});

it('a part is method, path, query, its own headers and its body', () => {
  expect(
    parse(
      '[{"method":"PATCH","path":"/films?id=eq.1","headers":{"Prefer":"return=minimal"},"body":{"a":1.10}}]',
    ),
  ).toEqual([
    {
      method: 'PATCH',
      path: '/films',
      rawQuery: 'id=eq.1',
      headers: { prefer: 'return=minimal' },
      body: Buffer.from('{"a":1.10}'),
    },
  ]);
});

it.each([
  ['{}', 'GW310', undefined, 'The body must be a JSON array of requests'],
  ['[', 'GW310', undefined, 'The body is not JSON'],
  ['[]', 'GW310', undefined, 'The array holds no request'],
  ['[1]', 'GW310', 0, 'A request must be an object'],
  [
    '[{"method":"GET","path":"/a"},{"method":"OPTIONS","path":"/a"}]',
    'GW310',
    1,
    '"method" must be one of GET, HEAD, POST, PATCH, PUT, DELETE',
  ],
  [
    '[{"method":"GET","path":"a"}]',
    'GW310',
    0,
    '"path" must begin with / and be percent-encoded, such as /films?id=eq.1',
  ],
  [
    '[{"method":"GET","path":"/a b"}]',
    'GW310',
    0,
    '"path" must begin with / and be percent-encoded, such as /films?id=eq.1',
  ],
  ['[{"method":"GET","path":"/a","role":"x"}]', 'GW310', 0, '"role" is no key of a request'],
  ['[{"method":"GET","path":"/a","body":1}]', 'GW310', 0, 'GET has no body'],
  [
    '[{"method":"GET","path":"/a","headers":{"prefer":"a\\nb"}}]',
    'GW310',
    0,
    'The header "prefer" must be a text of one line',
  ],
  [
    '[{"method":"POST","path":"/a","headers":{"content-type":"text/csv"},"body":[1]}]',
    'GW310',
    0,
    'With the content type text/csv "body" must be a text',
  ],
  [
    '[{"method":"POST","path":"/a","encoding":"base64","body":"a"}]',
    'GW310',
    0,
    '"body" must be a text in base64',
  ],
  [
    '[{"method":"POST","path":"/a","encoding":"hex","body":"a"}]',
    'GW310',
    0,
    '"encoding" can only be "base64"',
  ],
  ['[{"method":"POST","path":"/-/batch","body":[]}]', 'GW311', 0, 'A batch cannot hold another'],
  ['[{"method":"GET","path":"/"}]', 'GW311', 0, 'A batch holds requests of tables and functions only'],
  [
    '[{"method":"GET","path":"/a","headers":{"prefer":"tx=rollback"}}]',
    'GW311',
    0,
    'All requests of a batch end together: "Prefer: tx=" belongs to the batch itself',
  ],
  [
    '[{"method":"GET","path":"/a","headers":{"Authorization":"x"}}]',
    'GW311',
    0,
    'A request of a batch cannot have the header "Authorization", only accept, accept-profile, content-profile, content-type, prefer, range',
  ],
] as const)('%s is refused', (text, code, index, details) => {
  expect(refusal(text)).toEqual([code, index, details]);
});

it('more parts than allowed are refused', () => {
  const text = JSON.stringify(Array(3).fill({ method: 'GET', path: '/a' }));
  expect(refusal(text, 2)).toEqual(['GW312', undefined, 'It holds 3 requests, the limit is 2']);
  expect(parse(text, 3).length).toBe(3);
});

it('a part has the headers of the client, but not those that the batch has of itself', () => {
  const carrier = {
    authorization: 'Bearer x',
    'x-forwarded-for': '192.0.2.1',
    accept: 'text/html',
    'content-type': 'application/json',
    'content-length': '10',
    prefer: 'tx=rollback',
    'if-none-match': '"x"',
  };
  expect(partHeaders(carrier, { accept: 'text/csv' })).toEqual({
    authorization: 'Bearer x',
    'x-forwarded-for': '192.0.2.1',
    accept: 'text/csv',
  });
});
