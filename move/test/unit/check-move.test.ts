import { expect, test } from 'vitest';
import { findings } from '../../check-move.ts';

const table = (rows: string) => ({ schema: 'acme', name: 'a', rows, digest: '1:2' });
const held = {
  tables: [table('9007199254740993'), table('7')],
  files: { count: 3, bytes: 31_400_000, digest: '1:2' },
  collections: [{ name: 'docs', points: 251, digest: '1:2' }],
  contents_seconds: 0,
};
const tenant = { id: 'acme', hosts: ['acme.test'], backends: {} };
const options = { backends: undefined, maxPauseSeconds: 60 };

test('an operator is told what moves, and how long writes wait: when nobody writes, and when somebody does', () => {
  expect(findings(tenant, { held, readSeconds: 2, options })).toEqual([
    'acme (acme.test) can move: 2 tables with 9007199254741000 rows, 3 files of 31.4 MB, 1 collections with 251 points',
    'reading all of it took 2.0 s. Its writes would wait for about 3 s if nobody writes while it is copied, else for about 19 s and the time to send it once more; reads do not wait',
    'nothing was changed',
  ]);
});

test('a pause that is longer than it may be, and files that change their kind of place, are said', () => {
  const inBucket = { ...tenant, backends: { storage: { kind: 's3' } } };
  const lines = findings(inBucket, { held, readSeconds: 20, options });
  expect(lines).toEqual(
    expect.arrayContaining([
      'its files are in a bucket, and would go into DATA_DIR: --backends names another one',
      expect.stringMatching(/^that is longer than its writes may wait \(60 s, --max-pause\)/),
    ]),
  );
  const absent = ['It would be without: the schema x'];
  expect(findings(tenant, { held, readSeconds: 2, options, absent })).toContain(absent[0]);
  const named = { ...options, backends: { storage: { kind: 's3' } }, maxPauseSeconds: 300 };
  expect(findings(inBucket, { held, readSeconds: 20, options: named })).toHaveLength(3);
});
