import type { JobWithMetadata, PgBoss } from 'pg-boss';
import { startNotificationListener } from '../../gateway/registry/notification-listener.ts';
import { reportFacilities } from '../containers/facilities.ts';
import { collectNow, watchCore } from '../containers/watch-core.ts';
import { askForOldCopies } from '../jobs/ask-for-old-copies.ts';
import { startNow, wakeNextForKey } from '../jobs/enqueue-job.ts';
import type { AnyJobDefinition } from '../jobs/job.ts';
import { limitsOf } from '../jobs/job-kind.ts';
import { CANCEL_CHANNEL, findJob } from '../jobs/job-store.ts';
import { pruneJobs } from '../jobs/prune-jobs.ts';
import { COLLECT_QUEUE, OLD_COPIES_QUEUE, openWorker, PRUNE_QUEUE } from '../jobs/queue.ts';
import { type OpenServicesOptions, openAdminServices } from '../open-services.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { JOB_DEFINITIONS } from './job-definitions.ts';
import { type JobOutcome, runJob } from './run-job.ts';

export interface JobRunnerOptions extends Omit<OpenServicesOptions, 'process'> {
  /** Default: all kinds there are. */
  readonly definitions?: readonly AnyJobDefinition[];
  /** Days that jobs are kept after their end. */
  readonly jobRetentionDays: number;
  /** After `stop()`: how long the step that runs may go on, in milliseconds. */
  readonly graceMs?: number;
  /** Why there is no container engine, where there is none. */
  readonly phantomOff?: string | undefined;
}

export interface JobRunner {
  /**
   * Takes no more jobs and begins no more steps. Steps that run have the grace time; then, or when `signal` aborts, they are cut off. Every job goes
   * back to its queue at once.
   */
  stop(signal: AbortSignal): Promise<void>;
}

const POLLING_SECONDS = 2;
/** A job whose key is taken looks again after this long; the end of the other one wakes it anyway. */
const BUSY_DELAY_SECONDS = 5;
const GRACE_MS = 5_000;
/** For steps to take notice of the abort and for what is written then. */
const SETTLE_MS = 2_000;
const PRUNE_CRON = '23 * * * *';
const OLD_COPIES_CRON = '*/10 * * * *';
const COLLECT_CRON = '41 3 * * *';

/** Works on jobs until stopped. */
export async function startJobRunner(options: JobRunnerOptions): Promise<JobRunner> {
  const { observe, definitions = JOB_DEFINITIONS, jobRetentionDays, graceMs = GRACE_MS } = options;
  const services = openAdminServices({ ...options, process: 'admin-runner' });
  const onError = (cause: unknown) => observe({ kind: 'registry-unreachable', cause });
  const boss = openWorker(options.controlDatabaseUrl, onError);
  const running = new Map<string, AbortController>();
  const cancellations = startNotificationListener({
    url: options.controlDatabaseUrl,
    channel: CANCEL_CHANNEL,
    onNotification: (jobId) => void abortIfCancelled(services, running, jobId),
    // Whatever was asked for while nobody listened.
    onConnected: () => {
      for (const jobId of running.keys()) void abortIfCancelled(services, running, jobId);
    },
  });
  const facilities = reportFacilities(services, options.phantomOff);
  let core: ReturnType<typeof watchCore> | undefined;
  const stopping = new AbortController();
  const stopped = new AbortController();

  const work = async (definition: AnyJobDefinition, job: JobWithMetadata<unknown>): Promise<void> => {
    const cancelled = new AbortController();
    running.set(job.id, cancelled);
    try {
      const outcome = await runJob({
        definition,
        services,
        observe,
        job: { id: job.id, data: job.data, attempt: job.retryCount + 1 },
        signals: {
          cancelled: cancelled.signal,
          stopping: stopping.signal,
          stopped: stopped.signal,
          lost: job.signal,
        },
      });
      await settle(boss, services, { job, outcome });
    } finally {
      running.delete(job.id);
    }
  };

  /** Adds one worker; each is woken by itself. */
  const register = async (definition: AnyJobDefinition) => {
    const workerId: string = await boss.work(
      definition.kind.name,
      {
        includeMetadata: true,
        batchSize: 1,
        pollingIntervalSeconds: POLLING_SECONDS,
        // A retry sends no notification.
        notifyPollingIntervalSeconds: POLLING_SECONDS,
      },
      async ([job]: JobWithMetadata<unknown>[]) => {
        if (job === undefined) return;
        try {
          await work(definition, job);
        } finally {
          // This worker takes the next job at once: with the pause of a poll in between, a queue would drain at two jobs a second.
          if (!stopping.signal.aborted) boss.notifyWorker(workerId);
        }
      },
    );
  };

  try {
    await boss.start();
    await boss.schedule(PRUNE_QUEUE, PRUNE_CRON, null, { missed: 'once' });
    await boss.work(PRUNE_QUEUE, async () => {
      await pruneJobs(services.control, jobRetentionDays);
    });
    await boss.schedule(OLD_COPIES_QUEUE, OLD_COPIES_CRON, null, { missed: 'once' });
    await boss.work(OLD_COPIES_QUEUE, async () => {
      await askForOldCopies(services.control, boss);
    });
    // A runner without an engine leaves it to those that have one.
    if (services.phantom !== undefined) {
      await boss.schedule(COLLECT_QUEUE, COLLECT_CRON, null, { missed: 'once' });
      await boss.work(COLLECT_QUEUE, () => collectNow(services, boss));
    }
    core = watchCore(services, boss);
    for (const definition of definitions) {
      for (let slot = 0; slot < limitsOf(definition.kind).slots; slot++) await register(definition);
    }
  } catch (error) {
    await Promise.allSettled([
      core?.close(),
      facilities.close(),
      cancellations.close(),
      boss.stop({ graceful: false }),
      services.close(),
    ]);
    throw error;
  }

  return {
    async stop(signal) {
      stopping.abort(new Error('the runner is ending'));
      const cutOff = AbortSignal.any([signal, AbortSignal.timeout(graceMs)]);
      const onCutOff = () => stopped.abort(new Error('the runner is ending'));
      if (cutOff.aborted) onCutOff();
      cutOff.addEventListener('abort', onCutOff, { once: true });
      try {
        // What takes no notice even of the abort goes back all the same; the lease keeps it from writing.
        await boss.stop({ graceful: true, timeout: graceMs + SETTLE_MS });
      } finally {
        cutOff.removeEventListener('abort', onCutOff);
        await core?.close();
        await facilities.close();
        await cancellations.close();
        await services.close();
      }
    },
  };
}

async function settle(
  boss: PgBoss,
  { control, observe }: AdminServices,
  { job, outcome }: { job: JobWithMetadata<unknown>; outcome: JobOutcome },
): Promise<void> {
  switch (outcome) {
    case 'over': {
      const key = (await findJob(control, job.id))?.concurrency_key;
      if (key === undefined || key === null) return;
      // It looks again by itself after a while.
      await wakeNextForKey(control, boss, key).catch((cause: unknown) =>
        observe({ kind: 'registry-unreachable', cause }),
      );
      return;
    }
    case 'retry':
      throw new Error('the attempt failed');
    case 'hand-over':
      await boss.fail(job.name, job, { message: 'handed over' });
      await startNow(boss, job);
      return;
    case 'busy':
      await boss.fail(job.name, job, { message: 'its key is taken' });
      await boss.update(job.name, undefined, { id: job.id, startAfter: BUSY_DELAY_SECONDS });
      return;
    default:
      outcome satisfies never;
  }
}

async function abortIfCancelled(
  { control, observe }: AdminServices,
  running: ReadonlyMap<string, AbortController>,
  jobId: string,
): Promise<void> {
  if (!running.has(jobId)) return;
  try {
    const job = await findJob(control, jobId);
    if (job?.is_cancel_requested === true) running.get(jobId)?.abort(new Error('the job was cancelled'));
  } catch (cause) {
    observe({ kind: 'registry-unreachable', cause });
  }
}
