import { expect, it } from 'vitest';
import { mergeMetrics } from '../../../platform/merge-metrics.ts';

it('each sample says whose it is, and each family is told once', () => {
  const one = `# HELP a First.\n# TYPE a counter\na{route="/x{y} z"} 3\na 4\n# HELP b Second.\n# TYPE b gauge\nb 1.5\n`;
  const two = `# HELP b Second.\n# TYPE b gauge\nb 2\n# HELP c Third.\n# TYPE c histogram\nc_bucket{le="+Inf"} 1\nc_sum 2\n`;
  expect(
    mergeMetrics([
      { worker: '1', text: one },
      { worker: '2', text: two },
    ]).split('\n'),
  ).toEqual([
    '# HELP a First.',
    '# TYPE a counter',
    'a{worker="1",route="/x{y} z"} 3',
    'a{worker="1"} 4',
    '# HELP b Second.',
    '# TYPE b gauge',
    'b{worker="1"} 1.5',
    'b{worker="2"} 2',
    '# HELP c Third.',
    '# TYPE c histogram',
    'c_bucket{worker="2",le="+Inf"} 1',
    'c_sum{worker="2"} 2',
    '',
  ]);
});

it('without any process there is nothing', () => {
  expect(mergeMetrics([])).toBe('');
});
