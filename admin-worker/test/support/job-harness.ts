import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { PgBoss } from 'pg-boss';
import { Secret } from '../../../gateway/registry/secrets.ts';
import { startProcess, type TestProcess } from '../../../test/support/processes.ts';
import { inTransaction } from '../../connections.ts';
import { enqueueJob, type NewJob, startNow } from '../../jobs/enqueue-job.ts';
import type { JobRecord } from '../../jobs/job-record.ts';
import { findJob } from '../../jobs/job-store.ts';
import { installQueue, openSender } from '../../jobs/queue.ts';
import { type AdminHarness, startAdminHarness } from './admin-harness.ts';
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
  const harness: JobHarness = {
    admin,
    control,
    boss,
    enqueue: (job) =>
      inTransaction(control, (client) =>
        enqueueJob(client, boss, { ...job, actor: { fingerprint: 'test', address: undefined } }),
      ),
    find: async (id) => (await findJob(control, id))!,
    startRunner(killAt = '') {
      const runner = startProcess([process.execPath, RUNNER_PROCESS], {
        NODE_ENV: 'test',
        ADMIN_TOKEN: admin.adminToken,
        CASCATA_MASTER_KEY: admin.masterKey.reveal(),
        CONTROL_DATABASE_URL: admin.controlUrl,
        TEST_SHARED_DATABASE: admin.sharedDatabase,
        KILL_AT: killAt,
        DATA_DIR: admin.dataDir,
        REMOTE_ALLOWED_NETWORKS: '127.0.0.1/32,::1/128',
      });
      runners.push(runner);
      return runner;
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
