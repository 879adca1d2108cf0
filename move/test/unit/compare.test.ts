import { expect, test } from 'vitest';
import type { Digest } from '../../admin-answers.ts';
import { differences } from '../../compare.ts';

const table = (name: string, rows = '1', digest = '1:2') => ({ schema: 'acme', name, rows, digest });
const digest: Digest = {
  definitions: 'd',
  tables: [table('a'), table('b')],
  sequences: 's',
  large_objects: 'l',
  files: { count: 1, bytes: 2, digest: '1:2' },
  collections: [{ name: 'c', points: 1, digest: '1:2' }],
  contents_seconds: 0,
  registry: 'r',
};

test('two copies are the same when all but the text of their definitions is', () => {
  expect(differences(digest, { ...digest, definitions: 'other' })).toEqual([]);
});

test('what differs is named: tables that are missing, added or other, and each other part', () => {
  const other: Digest = {
    ...digest,
    tables: [table('a', '2'), table('c')],
    sequences: 'x',
    large_objects: 'x',
    files: { ...digest.files, bytes: 3 },
    collections: [],
    contents_seconds: 0,
    registry: 'x',
  };
  expect(differences(digest, other)).toEqual([
    'table acme.a',
    'table acme.b',
    'table acme.c',
    'sequences',
    'large objects',
    'files',
    'collections',
    'registry',
  ]);
});
