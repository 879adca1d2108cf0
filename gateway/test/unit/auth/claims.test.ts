import fc from 'fast-check';
import { expect, test } from 'vitest';
import { claimsJson, roleOnlyClaims } from '../../../auth/claims-json.ts';
import { checkClaims, parseClaims, timesOf } from '../../../auth/token-claims.ts';

const NOW = 1_700_000_000;

function failureOf(claims: object, audience?: string): unknown {
  try {
    checkClaims(parseClaims(JSON.stringify(claims)), NOW, audience);
    return undefined;
  } catch (error) {
    return error;
  }
}

function refusal(message: string) {
  return expect.objectContaining({
    code: 'PGRST303',
    status: 401,
    message,
    details: undefined,
    headers: { 'WWW-Authenticate': `Bearer error="invalid_token", error_description="${message}"` },
  });
}

test('clocks may differ by thirty seconds', () => {
  expect(failureOf({ exp: NOW - 30, nbf: NOW + 30, iat: NOW + 30 })).toBeUndefined();
  expect(failureOf({ exp: NOW - 31 })).toEqual(refusal('JWT expired'));
  expect(failureOf({ nbf: NOW + 31 })).toEqual(refusal('JWT not yet valid'));
  expect(failureOf({ iat: NOW + 31 })).toEqual(refusal('JWT issued at future'));
});

test('exp is looked at before nbf, iat and aud', () => {
  expect(failureOf({ aud: 5, iat: 'x', nbf: NOW + 99, exp: NOW - 99 })).toEqual(refusal('JWT expired'));
  expect(failureOf({ aud: 5, iat: 'x', nbf: NOW + 99 })).toEqual(refusal('JWT not yet valid'));
  expect(failureOf({ aud: 5, iat: 'x' })).toEqual(refusal("The JWT 'iat' claim must be a number"));
});

test('a time that is no whole number reads as zero, and null as absent', () => {
  expect(failureOf({ exp: NOW + 99.5 })).toEqual(refusal('JWT expired'));
  expect(failureOf({ nbf: NOW + 99.5, iat: NOW + 99.5 })).toBeUndefined();
  expect(failureOf({ exp: null, nbf: null, iat: null, aud: null })).toBeUndefined();
});

test.each(['exp', 'nbf', 'iat'])('%s has to be a number', (name) => {
  expect(failureOf({ [name]: '1' })).toEqual(refusal(`The JWT '${name}' claim must be a number`));
});

test('the times of a token that was good once say when it is good, as the checks do', () => {
  const nearby = fc.integer({ min: -100, max: 100 });
  const time = fc.option(
    fc.oneof(
      nearby.map((offset) => NOW + offset),
      nearby.map((offset) => NOW + offset + 0.5),
      fc.constant(null),
    ),
    { nil: undefined },
  );
  const isGood = (text: string, now: number): boolean => {
    try {
      checkClaims(parseClaims(text), now, undefined);
      return true;
    } catch {
      return false;
    }
  };
  fc.assert(
    fc.property(fc.record({ exp: time, nbf: time, iat: time }), nearby, (claims, offset) => {
      const text = JSON.stringify(claims);
      fc.pre(isGood(text, NOW));
      const { fromSeconds, untilSeconds } = timesOf(parseClaims(text));
      const now = NOW + offset;
      expect(now >= fromSeconds && now <= untilSeconds).toBe(isGood(text, now));
    }),
  );
});

test('an audience is compared only where one is asked for', () => {
  expect(failureOf({ aud: 'x' })).toBeUndefined();
  expect(failureOf({}, 'us')).toBeUndefined();
  expect(failureOf({ aud: [] }, 'us')).toBeUndefined();
  expect(failureOf({ aud: 'us' }, 'us')).toBeUndefined();
  expect(failureOf({ aud: ['them', 'us'] }, 'us')).toBeUndefined();
  expect(failureOf({ aud: 'them' }, 'us')).toEqual(refusal('JWT not in audience'));
  expect(failureOf({ aud: ['them'] }, 'us')).toEqual(refusal('JWT not in audience'));
});

test.each([{ a: 1 }, 5, ['us', 5]])('the audience %j is no audience', (aud) => {
  expect(failureOf({ aud })).toEqual(refusal("The JWT 'aud' claim must be a string or an array of strings"));
});

test.each(['', '[]', 'null', '"x"', '{'])('%j are no claims', (text) => {
  expect(() => parseClaims(text)).toThrow('Parsing claims failed');
});

test('claims that name their role are handed on as they were signed', () => {
  const text = '{ "role": "editor", "n": 12345678901234567890 }';
  expect(claimsJson(parseClaims(text), 'editor')).toBe(text);
});

test('a role from elsewhere is put behind the other claims', () => {
  expect(claimsJson(parseClaims('{"sub":"x"}'), 'anon')).toBe('{"sub":"x","role":"anon"}');
  expect(claimsJson(parseClaims('{"sub":"x"} \n'), 'anon')).toBe('{"sub":"x","role":"anon"}');
  expect(claimsJson(parseClaims('{ }'), 'anon')).toBe('{"role":"anon"}');
});

test('a role claim that says something else is replaced, and numbers keep their digits', () => {
  const text = '{"role":"x","n":12345678901234567890,"f":1.10,"roles":["editor"]}';
  expect(claimsJson(parseClaims(text), 'ed"itor')).toBe(
    '{"role":"ed\\"itor","n":12345678901234567890,"f":1.10,"roles":["editor"]}',
  );
});

test('without a token the claims are the role alone', () => {
  expect(roleOnlyClaims('a"b')).toBe('{"role":"a\\"b"}');
});
