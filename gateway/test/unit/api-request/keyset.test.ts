import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cursorToken, orderFingerprint, parseCursor } from '../../../api-request/keyset.ts';
import { parseApiRequest } from '../../../api-request/parse-api-request.ts';
import { GatewayError } from '../../../errors/gateway-error.ts';
import { anInput, errorOf, parse, SETTINGS } from './support.ts';

const CHARACTER = fc.constantFrom(...'azAZ09 "\\&=+%;.,()\0\n', 'é', '☕', '😀');

const ENABLED = { cascataKeysetEnabled: true };

describe('a cursor', () => {
  test('is read back as it was made', () => {
    const value = fc.oneof(fc.constant(null), fc.string({ unit: CHARACTER, maxLength: 12 }));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), (values) => {
        const fingerprint = orderFingerprint(values);
        const token = cursorToken(fingerprint, JSON.stringify(values));
        expect(token).toMatch(/^[\w-]+$/);
        expect(parseCursor(token)).toEqual({ fingerprint, values });
      }),
    );
  });

  test('of any text is a cursor or a GatewayError', () => {
    const base64url = fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64url'));
    const json = fc.json({ maxDepth: 2 }).map((text) => cursorToken('12345678', text));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 40 }).map((given) => Buffer.from(given).toString('latin1')),
          base64url,
          json,
        ),
        (token) => {
          try {
            const { values } = parseCursor(token);
            expect(values.every((value) => value === null || typeof value === 'string')).toBe(true);
          } catch (error) {
            expect(error).toBeInstanceOf(GatewayError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test('that is deeply nested is refused', () => {
    expect(errorOf(() => parseCursor(cursorToken('12345678', '['.repeat(50_000)))).code).toBe('GW603');
  });
});

describe('the parameter', () => {
  test('is no filter, and is left out of what the next page is asked with', () => {
    const rawQuery = 'a=eq.1&a=lt.%26é&cursor=after.&select&or=(b.eq.2)';
    const { keyset, query } = parse({ rawQuery }, ENABLED);
    expect(keyset).toEqual({
      after: undefined,
      otherParams: 'a=eq.1&a=lt.%26%C3%A9&select&or=(b.eq.2)',
    });
    expect([query.filters.length, query.filterFields, query.shape]).toEqual([2, ['a'], undefined]);
    expect(query.canonical).toContain('cursor=after.');
  });

  test('what is left reads as the same request', () => {
    const name = fc.constantFrom('a', 'b.c', 'order', 'or', 'select', 'limit', 'é', 'a&b', ' ');
    const value = fc.oneof(
      fc.constantFrom('eq.1', '(a.eq.1,b.eq.2)', '3', 'a'),
      fc.string({ unit: CHARACTER, maxLength: 12 }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 5 }), (pairs) => {
        const rawQuery = pairs.map((pair) => pair.map(encodeURIComponent).join('=')).join('&');
        const read = (query: string) => {
          try {
            return parseApiRequest(anInput({ rawQuery: query }), { ...SETTINGS, ...ENABLED });
          } catch (error) {
            if (error instanceof GatewayError) return undefined;
            throw error;
          }
        };
        const paged = read(`cursor=after.&${rawQuery}`);
        if (paged === undefined) return;
        expect(read(paged.keyset!.otherParams)).toEqual(read(rawQuery));
      }),
    );
  });

  test.each(['cursor=eq.after.1', 'cursor=not.eq.after.', 'a.cursor=eq.after.'])(
    '%s is a filter',
    (rawQuery) => {
      expect(parse({ rawQuery }, ENABLED)).toEqual(parse({ rawQuery }));
    },
  );

  test('is looked for on reads of relations only, and only where the project wants it', () => {
    expect(errorOf(() => parse({ rawQuery: 'cursor=after.' })).code).toBe('PGRST100');
    expect(errorOf(() => parse({ rawQuery: 'cursor=after.', method: 'DELETE' }, ENABLED)).code).toBe(
      'PGRST100',
    );
    const { query } = parse({ path: '/rpc/f', rawQuery: 'cursor=after.' }, ENABLED);
    expect(query.routineParams).toEqual([['cursor', 'after.']]);
  });
});
