import { describe, expect, it } from 'vitest';
import { parsePreferences } from '../../../api-request/parse-preferences.ts';
import type { Preferences } from '../../../api-request/preferences.ts';

function preferences(given: Partial<Preferences>): Preferences {
  return {
    resolution: undefined,
    return: undefined,
    missing: undefined,
    count: undefined,
    tx: undefined,
    handling: undefined,
    timezone: undefined,
    maxAffected: undefined,
    invalid: [],
    ...given,
  };
}

describe('parsePreferences', () => {
  it('has none without a header', () => {
    expect(parsePreferences(undefined, true)).toEqual(preferences({}));
    expect(parsePreferences('', true)).toEqual(preferences({}));
  });

  it('reads every kind', () => {
    expect(
      parsePreferences(
        'resolution=merge-duplicates,return=representation , missing=default,count=exact,tx=rollback,' +
          'handling=strict,timezone=America/Los_Angeles,max-affected=10',
        true,
      ),
    ).toEqual(
      preferences({
        resolution: 'merge-duplicates',
        return: 'representation',
        missing: 'default',
        count: 'exact',
        tx: 'rollback',
        handling: 'strict',
        timezone: 'America/Los_Angeles',
        maxAffected: 10,
      }),
    );
  });

  it('reads our own', () => {
    expect(parsePreferences('handling=strict, update=by-key', true)).toEqual(
      preferences({ handling: 'strict', update: 'by-key' }),
    );
    expect(parsePreferences('update=by-name', true).invalid).toEqual(['update=by-name']);
  });

  it('takes the first of a kind', () => {
    expect(
      parsePreferences('return=minimal, return=representation, max-affected=x, max-affected=1', true),
    ).toEqual(preferences({ return: 'minimal' }));
  });

  it('keeps what it does not know, in order', () => {
    expect(parsePreferences('count=none, foo, , return=Minimal', true).invalid).toEqual([
      'count=none',
      'foo',
      '',
      'return=Minimal',
    ]);
  });

  it('ignores tx, without calling it invalid, where the server does not allow it', () => {
    expect(parsePreferences('tx=rollback', false)).toEqual(preferences({}));
  });
});
