import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { EDGE_CASES } from '../support/phantom-edge-cases.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test('docs/phantom.md lists every situation once, with the file of its test', () => {
  const [, section = ''] = read('docs/phantom.md').split('\n## Edge cases\n');
  const rows = [...(section.split('\n## ')[0] ?? '').matchAll(/^\| ([^|]+) \| [^|]+ \| `([^`]+)` \|$/gm)];
  expect(rows.map(([, situation, file]) => [situation, file])).toEqual(
    EDGE_CASES.map(([situation, file]) => [situation, basename(file)]),
  );
});

test.each(EDGE_CASES)('%s: its test is in %s', (_, file, words) => {
  expect(read(file)).toContain(words);
});

test('every test of the edge cases is in the table', () => {
  const file = 'admin-worker/test/integration/phantom-edge-cases.test.ts';
  const titles = [...read(file).matchAll(/(?:test\(|^ {4})'([^']*: [^']*)',/gm)].map(([, title]) => title);
  expect(titles.length).toBeGreaterThan(30);
  const known = EDGE_CASES.filter(([, at]) => at === file).map(([, , words]) => words);
  expect(titles.filter((title) => !known.includes(String(title)))).toEqual([]);
});
