import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { PgBoss } from 'pg-boss';
import { expect } from 'vitest';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { startProcess, type TestProcess } from '../../../test/support/processes.ts';
import { inTransaction } from '../../connections.ts';
import { enqueueJob, type NewJob, startNow } from '../../jobs/enqueue-job.ts';
import type { JobRecord } from '../../jobs/job-record.ts';
import { findJob } from '../../jobs/job-store.ts';
import { installQueue, openSender } from '../../jobs/queue.ts';
import { type AdminHarness, startAdminHarness } from './admin-harness.ts';
import { begin, killAtEach } from './kill-runners.ts';
import { runnerVariables } from './runner-variables.ts';
import { LEDGER, TEST_JOBS } from './test-jobs.ts';

/** Entry of a runner that can be told where to die. */
export const RUNNER_PROCESS: string = fileURLToPath(new URL('./runner-process.ts', import.meta.url));

export interface JobHarness {
  /** API without a runner. */
  readonly admin: AdminHarness;
  readonly control: pg.Pool;
  /** Puts jobs into queues. */
  readonly boss: PgBoss;
  enqueue<Payload extends object>(job: Omit<NewJob<Payload>, 'actor'>): Promise<JobRecord>;
  find(id: string): Promise<JobRecord>;
  /** A runner as a process, with the test's kinds of jobs. @param killAt see `runner-process.ts` */
  startRunner(killAt?: string): TestProcess;
  /** Has runner after runner take the job and die at one point each. @returns one that waits to be begun, and lives */
  killAt(id: string, points: readonly string[]): Promise<TestProcess>;
  /** The same, then one that lives brings the job to its end. */
  killAtAndEnd(id: string, points: readonly string[]): Promise<JobRecord>;
  /** Takes the job from its runner at once, as the queue does when a runner has sent no sign of life for ten seconds. */
  expireLease(id: string): Promise<void>;
  /** Lines of the ledger with their number. */
  ledger(id: string): Promise<Record<string, number>>;
  stop(): Promise<void>;
}

/** An admin API, the test's kinds of jobs, and runners as separate processes. */
export async function startJobHarness(options: { serverUrl?: string } = {}): Promise<JobHarness> {
  const admin = await startAdminHarness({ withRunner: false, ...options });
  await installQueue(
    new Secret(admin.controlUrl),
    TEST_JOBS.map(({ kind }) => kind.name),
  );
  const control = new pg.Pool({ connectionString: admin.controlUrl, max: 4 });
  await control.query(LEDGER);
  const boss = openSender(control, () => undefined);
  await boss.start();
  const runners: TestProcess[] = [];
  const start = (variables: Readonly<Record<string, string>>) => {
    const runner = startProcess([process.execPath, RUNNER_PROCESS], {
      ...runnerVariables(admin),
      DATA_DIR: admin.dataDir,
      REMOTE_ALLOWED_NETWORKS: '127.0.0.1/32,::1/128',
      ...variables,
    });
    runners.push(runner);
    return runner;
  };
  const harness: JobHarness = {
    admin,
    control,
    boss,
    enqueue: (job) =>
      inTransaction(control, (client) =>
        enqueueJob(client, boss, { ...job, actor: { fingerprint: 'test', address: undefined } }),
      ),
    find: async (id) => (await findJob(control, id))!,
    startRunner: (killAt = '') => start({ KILL_AT: killAt }),
    killAt: async (jobId, points) =>
      killAtEach({
        jobId,
        kind: (await harness.find(jobId)).name,
        points,
        prepare: ({ killAt, kind }) => start({ KILL_AT: killAt, ONLY_KIND: kind, WAITS: 'yes' }),
        expireLease: harness.expireLease,
      }),
    async killAtAndEnd(id, points) {
      const last = await harness.killAt(id, points);
      await begin(last);
      await expect
        .poll(async () => (await harness.find(id)).finished_at, { timeout: 120_000, interval: 50 })
        .not.toBeNull();
      last.kill('SIGTERM');
      expect(await last.ended).toBe(0);
      return harness.find(id);
    },
    async expireLease(id) {
      const { name } = await harness.find(id);
      await boss.fail(name, id, { message: 'no sign of life' });
      await startNow(boss, { id, name });
    },
    async ledger(id) {
      const { rows } = await control.query<{ line: string; times: number }>(
        'SELECT line, count(*)::int AS times FROM public.ledger WHERE job = $1 GROUP BY line ORDER BY line',
        [id],
      );
      return Object.fromEntries(rows.map(({ line, times }) => [line, times]));
    },
    async stop() {
      for (const runner of runners) runner.kill('SIGKILL');
      await Promise.all(runners.map(({ ended }) => ended));
      await boss.stop({ graceful: false });
      await control.end();
      await admin.stop();
    },
  };
  return harness;
}
