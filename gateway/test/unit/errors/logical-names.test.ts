import { describe, expect, test } from 'vitest';
import { logicalErrorTexts } from '../../../errors/logical-names.ts';
import type { TenantNaming } from '../../../registry/tenant.ts';
import { aDatabaseError } from './database-errors.ts';

const ACME: TenantNaming = { schemaPrefix: 'acme', rolePrefix: 'acme' };

function shown(message: string, code = '42P01'): string {
  return logicalErrorTexts(aDatabaseError({ code, message }), ACME).message;
}

describe('names of the tenant', () => {
  test.each([
    ['relation "acme.films" does not exist', 'relation "public.films" does not exist'],
    ['relation "acme_api.films" does not exist', 'relation "api.films" does not exist'],
    [
      'function acme.add(integer, acme.color) does not exist',
      'function public.add(integer, public.color) does not exist',
    ],
    ['function "acme"."Add"() does not exist', 'function "public"."Add"() does not exist'],
    ['function acme."Add"() does not exist', 'function public."Add"() does not exist'],
    ['function "acme_api"."Add"() does not exist', 'function "api"."Add"() does not exist'],
    ['type "acme.color" does not exist', 'type "public.color" does not exist'],
    ['permission denied for schema acme', 'permission denied for schema public'],
    ['permission denied for schema acme_api', 'permission denied for schema api'],
    ['schema "acme" does not exist', 'schema "public" does not exist'],
    ['schema "acme_api" does not exist', 'schema "api" does not exist'],
    ['role "acme_editor" does not exist', 'role "editor" does not exist'],
    ['permission denied to set role "acme_service_role"', 'permission denied to set role "service_role"'],
    ['must be able to SET ROLE "acme_owner"', 'must be able to SET ROLE "owner"'],
    ['"acme_anon" may not do this, nor acme_authenticated', '"anon" may not do this, nor authenticated'],
  ])('%s → %s', (message, expected) => {
    expect(shown(message)).toBe(expected);
  });

  test('are changed in hints and in details that show no data', () => {
    const error = aDatabaseError({
      code: '42883',
      detail: 'In schema acme.',
      hint: 'Did you mean acme.add(integer)?',
    });
    expect(logicalErrorTexts(error, ACME)).toEqual({
      message: 'a message',
      detail: 'In schema public.',
      hint: 'Did you mean public.add(integer)?',
    });
  });
});

describe('what only looks like a name of the tenant stays', () => {
  test.each([
    'relation "acme_films" does not exist',
    'relation "acme" does not exist',
    'column "my_acme.x" does not exist',
    'relation "globex.films" does not exist',
    'relation "acmeville.films" does not exist',
    'relation "old-acme.films" does not exist',
    'permission denied for schema acmeville',
    'permission denied for table acme_anonymous',
    'could not send to bob@acme.com',
    'role "acmeville_editor" does not exist',
  ])('%s', (message) => {
    expect(shown(message)).toBe(message);
  });

  test('a value that the client sent', () => {
    const message = 'invalid input syntax for type integer: "acme.films of schema acme"';
    expect(shown(message, '22P02')).toBe(message);
    expect(shown('invalid input value for enum acme.color: "acme.red"', '22P02')).toBe(
      'invalid input value for enum public.color: "acme.red"',
    );
  });

  test('rows in the details of a violated constraint', () => {
    const detail = 'Key (host)=(acme.example) already exists.';
    expect(logicalErrorTexts(aDatabaseError({ code: '23505', detail }), ACME).detail).toBe(detail);
  });

  test("a text that the tenant's own code raised", () => {
    const error = aDatabaseError({ code: 'P0001', message: 'see acme.films', routine: 'exec_stmt_raise' });
    expect(logicalErrorTexts(error, ACME).message).toBe('see acme.films');
  });

  test('everything, when names are the same inside and outside', () => {
    const error = aDatabaseError({ code: '42P01', message: 'relation "acme.films" does not exist' });
    expect(logicalErrorTexts(error, { schemaPrefix: undefined, rolePrefix: undefined }).message).toBe(
      error.message,
    );
    expect(logicalErrorTexts(error, undefined).message).toBe(error.message);
  });
});

test('a prefix with characters that mean something in patterns is only itself', () => {
  const naming = { schemaPrefix: 'a.c', rolePrefix: 'a.c' };
  const texts = logicalErrorTexts(
    aDatabaseError({ code: '42P01', message: 'schema "abc", schema "a.c"' }),
    naming,
  );
  expect(texts.message).toBe('schema "abc", schema "public"');
});
