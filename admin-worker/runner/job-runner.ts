import type { JobWithMetadata } from 'pg-boss';
import { startNotificationListener } from '../../gateway/registry/notification-listener.ts';
import { applyMigrations } from '../jobs/apply-migrations.ts';
import type { JobDefinition } from '../jobs/job.ts';
import { findJob, JOBS_CHANNEL } from '../jobs/job-store.ts';
import { openWorker } from '../jobs/queue.ts';
import { type OpenServicesOptions, openAdminServices } from '../open-services.ts';
import type { AdminServices } from '../tenants/admin-services.ts';
import { runJob } from './run-job.ts';

export type JobRunnerOptions = Omit<OpenServicesOptions, 'process'>;

export interface JobRunner {
  /** Takes no more jobs and gives those that run until `signal` aborts; what is cut off is taken up by the next runner. */
  stop(signal: AbortSignal): Promise<void>;
}

const CONCURRENCY = 4;
const POLLING_SECONDS = 2;
const GRACE_MS = 8_000;

/** Works on jobs until stopped. */
export async function startJobRunner(options: JobRunnerOptions): Promise<JobRunner> {
  const { observe } = options;
  const services = openAdminServices({ ...options, process: 'admin-runner' });
  const boss = openWorker(options.controlDatabaseUrl, (cause) =>
    observe({ kind: 'registry-unreachable', cause }),
  );
  const running = new Map<string, AbortController>();
  const cancellations = startNotificationListener({
    url: options.controlDatabaseUrl,
    channel: JOBS_CHANNEL,
    onNotification: (jobId) => {
      const controller = running.get(jobId);
      if (controller !== undefined) void abortIfCancelled(services, jobId, controller);
    },
  });
  const stopping = new AbortController();

  /** Adds one worker; each is woken by itself. */
  const register = async <Payload, State>(definition: JobDefinition<Payload, AdminServices, State>) => {
    const workerId: string = await boss.work(
      definition.name,
      {
        includeMetadata: true,
        batchSize: 1,
        pollingIntervalSeconds: POLLING_SECONDS,
        // A retry sends no notification.
        notifyPollingIntervalSeconds: POLLING_SECONDS,
      },
      async ([job]: JobWithMetadata<unknown>[]) => {
        if (job === undefined) return;
        const controller = new AbortController();
        running.set(job.id, controller);
        try {
          await runJob({
            definition,
            services,
            control: services.control,
            observe,
            job: { id: job.id, data: job.data, isLastAttempt: job.retryCount >= job.retryLimit },
            cancelled: controller.signal,
            stopped: AbortSignal.any([stopping.signal, job.signal]),
          });
        } finally {
          running.delete(job.id);
          // This worker takes the next job at once: with the pause of a poll in between, a queue would drain at two jobs a second.
          boss.notifyWorker(workerId);
        }
      },
    );
  };

  try {
    await boss.start();
    for (let worker = 0; worker < CONCURRENCY; worker++) await register(applyMigrations);
  } catch (error) {
    await Promise.allSettled([cancellations.close(), boss.stop({ graceful: false }), services.close()]);
    throw error;
  }

  return {
    async stop(signal) {
      signal.addEventListener('abort', () => stopping.abort(), { once: true });
      const cutOff = setTimeout(() => stopping.abort(), GRACE_MS);
      try {
        await boss.stop({ graceful: true, timeout: GRACE_MS + 1_000 });
      } finally {
        clearTimeout(cutOff);
        await cancellations.close();
        await services.close();
      }
    },
  };
}

async function abortIfCancelled(
  { control, observe }: AdminServices,
  jobId: string,
  controller: AbortController,
): Promise<void> {
  try {
    const job = await findJob(control, jobId);
    if (job?.is_cancel_requested === true) controller.abort(new Error('the job was cancelled'));
  } catch (cause) {
    observe({ kind: 'registry-unreachable', cause });
  }
}
