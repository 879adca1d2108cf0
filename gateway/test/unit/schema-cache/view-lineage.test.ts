import { expect, test } from 'vitest';
import { traceViews, type ViewSource } from '../../../schema-cache/view-lineage.ts';

const lineagesOf = (sources: readonly ViewSource[]) => new Map(traceViews(sources));

test('a view over a view shows the columns of the table at the bottom, and of each view between', () => {
  const lineages = lineagesOf([
    { view: 'base', entries: [{ position: 1, originRelation: 'table', originColumn: 7 }] },
    { view: 'chain', entries: [{ position: 3, originRelation: 'base', originColumn: 1 }] },
  ]);
  expect(lineages).toEqual(
    new Map([
      ['base', new Map([['table', new Map([[7, [1]]])]])],
      [
        'chain',
        new Map([
          ['base', new Map([[1, [3]]])],
          ['table', new Map([[7, [3]]])],
        ]),
      ],
    ]),
  );
});

test('a column shown twice has both positions, the first first', () => {
  const origin = { originRelation: 'table', originColumn: 2 };
  const lineages = lineagesOf([
    {
      view: 'v',
      entries: [
        { position: 5, ...origin },
        { position: 1, ...origin },
      ],
    },
  ]);
  expect(lineages.get('v')).toEqual(new Map([['table', new Map([[2, [1, 5]]])]]));
});

test('views that contain each other end the search', () => {
  const lineages = lineagesOf([
    { view: 'a', entries: [{ position: 1, originRelation: 'b', originColumn: 1 }] },
    { view: 'b', entries: [{ position: 1, originRelation: 'a', originColumn: 1 }] },
  ]);
  expect([...(lineages.get('a')?.keys() ?? [])]).toEqual(['b', 'a']);
});
