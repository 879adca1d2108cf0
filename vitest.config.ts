import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { ClosingLineReporter } from './test/support/closing-line-reporter.ts';
import { ENGINE_TESTS } from './test/support/engine-tests.ts';

const exclude = ['node_modules/**', 'dist/**'];
const engine = [...ENGINE_TESTS];
/** One more than there are processors: files wait for servers of their own about a third of their time. */
const maxWorkers = availableParallelism() + 1;
/**
 * Files of these projects run in processes that have run others before: nothing of ours keeps state in modules, and loading everything anew for each file was half of
 * the processors' work in unit tests.
 */
const shared = { isolate: false, maxWorkers, sequence: { groupOrder: 1 } } as const;

export default defineConfig({
  test: {
    globalSetup: ['./test/support/global-setup.ts'],
    reporters: ['default', new ClosingLineReporter()],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['**/test/unit/**/*.test.ts'],
          exclude,
          testTimeout: 30_000,
          ...shared,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['**/test/integration/**/*.test.ts'],
          exclude: [...exclude, ...engine],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          ...shared,
        },
      },
      {
        test: {
          name: 'conformance',
          include: ['gateway/test/conformance/**/*.test.ts'],
          exclude,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          ...shared,
        },
      },
      {
        test: {
          name: 'attacks',
          include: ['test/attacks/**/*.test.ts'],
          exclude,
          // Counts on what a request finds on the one connection that it shares with the attacker.
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'engine',
          include: engine,
          exclude,
          // They count containers and images: one at a time.
          maxWorkers: 1,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: [...exclude, ...engine],
          // Whole systems of several processes each, which start one after the other: two at a time.
          maxWorkers: 2,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
