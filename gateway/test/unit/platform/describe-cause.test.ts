import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describeCause, redact } from '../../../platform/describe-cause.ts';

test('DSNs, tokens and keys are cut out of messages', () => {
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.c2lnbmF0dXJl';
  expect(
    redact(`no route to postgresql://u:pw@h/db?x=1 with ${jwt}, sb_secret_abc_123 and password=hunter2`),
  ).toBe('no route to [redacted] with [redacted], [redacted] and [redacted]');
});

test('a message of PostgreSQL that may repeat data is withheld, its SQLSTATE is not', () => {
  const databaseError = (code: string, message: string) =>
    describeCause(
      Object.assign(new Error(message), { code, severity: 'ERROR', detail: 'Key (email)=(a@b.c) exists' }),
    );
  expect(databaseError('22P02', 'invalid input syntax for type integer: "my diary"')).toEqual({
    code: '22P02',
    message: 'message withheld: it may repeat data',
  });
  expect(databaseError('23505', 'duplicate key value violates unique constraint "users_email"')).toEqual({
    code: '23505',
    message: 'duplicate key value violates unique constraint "users_email"',
  });
});

test('chains of causes end', () => {
  const loop = new Error('loop');
  loop.cause = loop;
  const deepest = describeCause(loop).cause?.cause?.cause;
  expect(deepest).toEqual({ message: 'loop' });
});

test('anything can be thrown, and what is not an error shows no content', () => {
  expect(describeCause({ password: 'hunter2' })).toEqual({ message: 'object' });
  fc.assert(fc.property(fc.anything(), (thrown) => typeof describeCause(thrown).message === 'string'));
});
