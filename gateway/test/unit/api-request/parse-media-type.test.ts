import { describe, expect, it } from 'vitest';
import { type MediaType, mediaTypeToText } from '../../../api-request/media-type.ts';
import { parseAccept, parseMediaType } from '../../../api-request/parse-media-type.ts';

const JSON_TYPE: MediaType = { kind: 'json' };

describe('parseMediaType', () => {
  it.each<[string, MediaType]>([
    ['*/*', { kind: 'any' }],
    ['application/json', JSON_TYPE],
    ['APPLICATION/JSON; charset=utf-8', JSON_TYPE],
    ['application/json;nulls=stripped', JSON_TYPE],
    ['text/csv', { kind: 'csv' }],
    ['application/geo+json;', { kind: 'geojson' }],
    ['application/openapi+json', { kind: 'openapi' }],
    ['application/x-www-form-urlencoded', { kind: 'urlencoded' }],
    ['application/vnd.pgrst.object', { kind: 'object', nullsStripped: false }],
    ['ApplicatIon/vnd.PgRsT.object+json', { kind: 'object', nullsStripped: false }],
    ['application/vnd.pgrst.object+json;nulls=stripped', { kind: 'object', nullsStripped: true }],
    ['application/vnd.pgrst.array+json;NULLS=stripped', { kind: 'array', nullsStripped: true }],
    ['application/vnd.pgrst.array+json', JSON_TYPE],
    ['text/plain; charset=utf-8', { kind: 'other', name: 'text/plain' }],
    ['application/*', { kind: 'other', name: 'application/*' }],
    ['Image/PNG;a=1', { kind: 'other', name: 'Image/PNG;a=1' }],
    ['nonsense', { kind: 'other', name: 'nonsense' }],
    ['', { kind: 'other', name: '' }],
    ['application/vnd.pgrst.plan', { kind: 'plan', format: 'text', for: JSON_TYPE, options: [] }],
    [
      'application/vnd.pgrst.plan+json ; for="text/csv" ; options=wal|analyze|nope;',
      { kind: 'plan', format: 'json', for: { kind: 'csv' }, options: ['analyze', 'wal'] },
    ],
    [
      'application/vnd.pgrst.plan+text; for="application/vnd.pgrst.object+json;nulls=stripped"; options=;',
      { kind: 'plan', format: 'text', for: { kind: 'object', nullsStripped: true }, options: [] },
    ],
  ])('reads %s', (text, media) => {
    expect(parseMediaType(text)).toEqual(media);
  });
});

describe('parseAccept', () => {
  it('accepts anything without a header, nothing by an empty one', () => {
    expect(parseAccept(undefined)).toEqual([{ kind: 'any' }]);
    expect(parseAccept('')).toEqual([]);
  });

  it('sorts by quality, then by specificity, then as given', () => {
    const names = parseAccept(
      'text/html, a/a;q=0.5, */*;q=0.8, b/b;q=0.8, application/json, c/c;x=1;q=0.8, d/d;q=x',
    );
    expect(names.map(mediaTypeToText)).toEqual([
      'text/html',
      'application/json',
      'd/d',
      'c/c;x=1',
      'b/b',
      '*/*',
      'a/a',
    ]);
  });

  it('reads what postgrest-js sends for explain()', () => {
    expect(
      parseAccept('application/vnd.pgrst.plan+text; for="application/json"; options=analyze|verbose;').map(
        mediaTypeToText,
      ),
    ).toEqual(['application/vnd.pgrst.plan+text; for="application/json"; options=analyze|verbose']);
  });
});

describe('mediaTypeToText', () => {
  it.each([
    'application/json',
    'application/vnd.pgrst.object+json',
    'application/vnd.pgrst.object+json;nulls=stripped',
    'application/vnd.pgrst.array+json;nulls=stripped',
    'application/vnd.pgrst.plan+json; for="text/csv"',
    'application/vnd.pgrst.plan+text; for="application/json"; options=analyze|buffers',
    'application/x-www-form-urlencoded',
    'image/png',
  ])('writes %s as it was read', (text) => {
    expect(mediaTypeToText(parseMediaType(text))).toBe(text);
  });
});
