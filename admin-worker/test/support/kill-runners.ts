import { expect } from 'vitest';
import type { TestProcess } from '../../../test/support/processes.ts';

export interface Killing {
  readonly jobId: string;
  /** Kind of the job: its runners work on no other. */
  readonly kind: string;
  /** As in `kill-points.ts`. */
  readonly points: readonly string[];
  /** A runner that is loaded and waits for SIGUSR2. @param killAt see `runner-process.ts` */
  prepare(options: { killAt: string; kind: string }): TestProcess;
  /** For points that no runner knows: kills it where they say. @returns what takes the watch away; `undefined`: the runner does it itself */
  watch?(point: string, runner: TestProcess): (() => void) | undefined;
  /** Has the queue give the job to the next one. */
  expireLease(jobId: string): Promise<void>;
}

/** What a runner is told of a point: without the step that it is in, and nothing of what another kills it at. */
const killAtOf = (point = '') => (point.startsWith('engine ') ? '' : point.replace(/ \[.*\]$/, ''));

/**
 * Has runner after runner take the job and die by SIGKILL at one point each. The next one gets ready while one is at work.
 *
 * @returns one that is ready, and lives
 */
export async function killAtEach(killing: Killing): Promise<TestProcess> {
  const { jobId, kind, points, prepare, watch, expireLease } = killing;
  let next = prepare({ killAt: killAtOf(points[0]), kind });
  for (const [index, point] of points.entries()) {
    const runner = next;
    next = prepare({ killAt: killAtOf(points[index + 1]), kind });
    const unwatch = watch?.(point, runner);
    await begin(runner);
    expect([point, await runner.ended], runner.output.stdout + runner.output.stderr).toEqual([
      point,
      'SIGKILL',
    ]);
    unwatch?.();
    await expireLease(jobId);
  }
  return next;
}

/** Lets one begin that was prepared. */
export async function begin(runner: TestProcess): Promise<void> {
  await runner.printed(/^waits$/m);
  runner.kill('SIGUSR2');
}
