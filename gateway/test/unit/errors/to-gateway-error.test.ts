import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../../errors/gateway-error.ts';
import type { ErrorContext } from '../../../errors/pg-error.ts';
import { toGatewayError } from '../../../errors/to-gateway-error.ts';
import { aDatabaseError } from './database-errors.ts';

const ANONYMOUS: ErrorContext = { isAuthenticated: false, naming: undefined };
const SIGNED_IN: ErrorContext = { isAuthenticated: true, naming: undefined };

function summary(error: unknown, context = SIGNED_IN): object {
  const { code, status, message, details, hint, headers } = toGatewayError(error, context);
  return { code, status, message, details, hint, headers };
}

describe('errors of PostgreSQL', () => {
  test('keep their code and texts', () => {
    const error = aDatabaseError({
      code: '23505',
      message: 'duplicate',
      detail: 'Key (id)=(1)',
      hint: 'another',
    });
    expect(summary(error)).toEqual({
      code: '23505',
      status: 409,
      message: 'duplicate',
      details: 'Key (id)=(1)',
      hint: 'another',
      headers: {},
    });
    expect(toGatewayError(error, SIGNED_IN).cause).toBe(error);
  });

  test.each([
    ['08006', '', 503],
    ['0LP01', '', 403],
    ['0P000', '', 403],
    ['21000', 'UPDATE requires a WHERE clause', 400],
    ['21000', 'more than one row returned by a subquery used as an expression', 500],
    ['22023', 'role "x" does not exist', 401],
    ['22023', 'invalid value for parameter "TimeZone": "x"', 400],
    ['22P02', '', 400],
    ['23502', '', 400],
    ['23503', '', 409],
    ['25006', '', 405],
    ['25P02', '', 500],
    ['28000', '', 403],
    ['40001', '', 500],
    ['42501', '', 403],
    ['42703', '', 400],
    ['42883', 'function xmlagg(integer) does not exist', 406],
    ['42883', 'function f() does not exist', 404],
    ['42P01', '', 404],
    ['42P17', '', 500],
    ['53300', '', 503],
    ['53400', '', 500],
    ['57014', '', 500],
    ['57P01', '', 503],
    ['P0001', '', 400],
    ['P0002', '', 500],
    ['XX000', '', 500],
    ['ZZ999', '', 400],
  ])('%s %s → %i', (code, message, status) => {
    expect(toGatewayError(aDatabaseError({ code, message }), SIGNED_IN).status).toBe(status);
  });

  test('42501 is 401 with a challenge for the anonymous role', () => {
    const error = toGatewayError(aDatabaseError({ code: '42501' }), ANONYMOUS);
    expect([error.status, error.headers]).toEqual([401, { 'WWW-Authenticate': 'Bearer' }]);
  });

  test('the role of a token that is not there is 401 with a challenge', () => {
    const naming = { schemaPrefix: 'acme', rolePrefix: 'acme' };
    const error = aDatabaseError({ code: '22023', message: 'role "acme_ghost" does not exist' });
    expect(summary(error, { isAuthenticated: true, naming })).toEqual({
      code: '22023',
      status: 401,
      message: 'role "ghost" does not exist',
      details: undefined,
      hint: undefined,
      headers: { 'WWW-Authenticate': 'Bearer' },
    });
  });

  test('a refused login shows nothing of the login', () => {
    const message = 'password authentication failed for user "acme_login"';
    const error = aDatabaseError({ code: '28P01', message, routine: 'auth_failed' });
    expect(summary(error)).toEqual({
      code: 'PGRST000',
      status: 503,
      message: 'Database connection error.',
      details: undefined,
      hint: undefined,
      headers: {},
    });
  });
});

describe('guards inside the main query', () => {
  function guard(text: string): object {
    return summary(
      aDatabaseError({ code: '22P02', message: `invalid input syntax for type integer: "${text}"` }),
    );
  }

  test('singular is PGRST116 with the number of rows', () => {
    expect(guard('cascata-guard:singular:0')).toMatchObject({
      code: 'PGRST116',
      status: 406,
      details: 'The result contains 0 rows',
    });
  });

  test('put is PGRST115', () => {
    expect(guard('cascata-guard:put:2')).toMatchObject({ code: 'PGRST115', status: 400, details: undefined });
  });

  test('max-affected is PGRST124 with the number of rows', () => {
    expect(guard('cascata-guard:max-affected:14')).toMatchObject({
      code: 'PGRST124',
      status: 400,
      details: 'The query affects 14 rows',
    });
  });

  test('faults in the keys of an update are PGRST102', () => {
    expect(guard('cascata-guard:null-key:2')).toMatchObject({
      code: 'PGRST102',
      status: 400,
      message: 'An object has no value for its key',
      details: 'Objects without one: 2',
    });
    expect(guard('cascata-guard:same-key:1')).toMatchObject({
      code: 'PGRST102',
      message: 'Two objects have the same key',
      details: 'Keys that occur more than once: 1',
    });
  });

  test('are recognised whatever the language of the server', () => {
    const message = 'ungültige Eingabesyntax für Typ integer: »cascata-guard:singular:3«';
    expect(summary(aDatabaseError({ code: '22P02', message }))).toMatchObject({
      details: 'The result contains 3 rows',
    });
  });

  test('another bad value is not one', () => {
    expect(guard('cascata-guard:other:3')).toMatchObject({ code: '22P02', status: 400 });
  });
});

describe('RAISE SQLSTATE PTxyz', () => {
  test('chooses the status, and its message is the reason phrase', () => {
    const error = toGatewayError(
      aDatabaseError({ code: 'PT418', message: 'teapot', hint: 'pour' }),
      SIGNED_IN,
    );
    expect([error.code, error.status, error.statusText, error.message, error.hint]).toEqual([
      'PT418',
      418,
      'teapot',
      'teapot',
      'pour',
    ]);
  });

  test('asks for a challenge with 401', () => {
    expect(toGatewayError(aDatabaseError({ code: 'PT401' }), SIGNED_IN).headers).toEqual({
      'WWW-Authenticate': 'Bearer',
    });
  });

  test.each(['PT099', 'PT600', 'PTABC', 'PT199'])('%s is no status, hence 500', (code) => {
    expect(toGatewayError(aDatabaseError({ code }), SIGNED_IN).status).toBe(500);
  });
});

describe('RAISE SQLSTATE PGRST', () => {
  const MESSAGE = '{"code":"123","message":"ABC","details":"DEF","hint":"XYZ"}';

  function raise(message: string, detail?: string): GatewayError {
    const error = detail === undefined ? { code: 'PGRST', message } : { code: 'PGRST', message, detail };
    return toGatewayError(aDatabaseError(error), SIGNED_IN);
  }

  test('decides the whole response', () => {
    const error = raise(MESSAGE, '{"status":332,"status_text":"My Own","headers":{"X-Header":"str"}}');
    expect(error).toMatchObject({
      code: '123',
      status: 332,
      statusText: 'My Own',
      message: 'ABC',
      details: 'DEF',
      hint: 'XYZ',
      headers: { 'X-Header': 'str' },
    });
  });

  test('may leave out details, hint and status_text', () => {
    const error = raise('{"code":"1","message":"m","hint":null}', '{"status":404,"headers":{}}');
    expect([error.status, error.details, error.hint, error.statusText]).toEqual([
      404,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('headers that end a body are not taken over', () => {
    const error = raise(MESSAGE, '{"status":400,"headers":{"Content-Length":"1","X-A":"1"}}');
    expect(error.headers).toEqual({ 'X-A': '1' });
  });

  test.each(['not json', '[]', '{"code":"1"}', '{"message":"m"}', '{"code":1,"message":"m"}'])(
    'MESSAGE %s is PGRST121',
    (message) => {
      expect(raise(message, '{"status":400,"headers":{}}')).toMatchObject({
        code: 'PGRST121',
        status: 500,
        details: `Invalid JSON value for MESSAGE: '${message}'`,
        hint: expect.stringContaining('MESSAGE must be a JSON object'),
      });
    },
  );

  test.each([
    'x',
    '{"status":400}',
    '{"status":"400","headers":{}}',
    '{"status":99,"headers":{}}',
    '{"status":400,"headers":{"X":1}}',
    '{"status":400,"headers":{"X":"a\\r\\nSet-Cookie: b"}}',
    '{"status":400,"headers":{"X Y":"a"}}',
  ])('DETAIL %s is PGRST121', (detail) => {
    expect(raise(MESSAGE, detail)).toMatchObject({
      code: 'PGRST121',
      details: `Invalid JSON value for DETAIL: '${detail}'`,
      hint: expect.stringContaining('DETAIL must be a JSON object'),
    });
  });

  test('DETAIL left out is PGRST121', () => {
    expect(raise(MESSAGE)).toMatchObject({
      code: 'PGRST121',
      details: 'DETAIL is missing in the RAISE statement',
    });
  });
});

describe('other errors', () => {
  test('a GatewayError stays itself, also as a cause', () => {
    const error = new GatewayError('PGRST205');
    expect(toGatewayError(error, SIGNED_IN)).toBe(error);
    expect(toGatewayError(new Error('wrapped', { cause: error }), SIGNED_IN)).toBe(error);
  });

  test.each(['ECONNREFUSED', 'ENOTFOUND', 'ECONNRESET', 'ETIMEDOUT'])(
    '%s is PGRST000, without its address',
    (code) => {
      const error = Object.assign(new Error(`connect ${code} 10.1.2.3:5432`), { code, syscall: 'connect' });
      expect(summary(error)).toMatchObject({ code: 'PGRST000', status: 503, details: undefined });
    },
  );

  test('all addresses refused is PGRST000', () => {
    expect(summary(Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }))).toMatchObject({
      code: 'PGRST000',
    });
  });

  test('a file that is not there is our fault', () => {
    const error = Object.assign(new Error('open /x'), { code: 'ENOENT', syscall: 'open' });
    expect(summary(error)).toMatchObject({ code: 'GW901' });
  });

  test.each([
    ['timeout exceeded when trying to connect', 'PGRST003', 504],
    ['Connection terminated unexpectedly', 'PGRST001', 503],
    ['Connection terminated due to connection timeout', 'PGRST000', 503],
  ])('%s is %s', (message, code, status) => {
    expect(summary(new Error(message))).toMatchObject({ code, status });
  });

  test('an abort is GW902 and a deadline GW202', () => {
    expect(summary(new DOMException('x', 'AbortError'))).toMatchObject({ code: 'GW902', status: 499 });
    expect(summary(new DOMException('x', 'TimeoutError'))).toMatchObject({ code: 'GW202', status: 504 });
  });

  test.each([new TypeError('postgres://u:secret@h/db'), 'secret', undefined, { code: '42P01' }])(
    'anything else is GW901 and shows nothing of itself',
    (thrown) => {
      expect(summary(thrown)).toEqual({
        code: 'GW901',
        status: 500,
        message: 'Internal error',
        details: undefined,
        hint: undefined,
        headers: {},
      });
    },
  );

  test('causes that go in a circle end', () => {
    const error = new Error('a');
    error.cause = error;
    expect(toGatewayError(error, SIGNED_IN).code).toBe('GW901');
  });
});
