import { setTimeout as sleep } from 'node:timers/promises';
import { inTransaction } from '../connections.ts';
import { cancelJob } from './cancel-job.ts';
import { enqueueJob } from './enqueue-job.ts';
import { bringExtensionKind } from './extension-kinds.ts';
import type { JobContext } from './job.ts';
import { JobError } from './job.ts';
import type { JobRecord } from './job-record.ts';
import { findJob } from './job-store.ts';
import { openSender } from './queue.ts';

/** What a job hands on that has files of extensions brought. */
export interface BringingState {
  /** Extensions whose files are to come. */
  missing: string[];
  /** Ids of the jobs that bring them, by extension. */
  bringing: Record<string, string>;
}
type Context = JobContext<unknown, BringingState>;

const ACTOR = { fingerprint: 'runner', address: undefined };
const POLL_MS = 250;

/**
 * Has the files of extensions brought into our own cluster, by jobs like those that anybody may ask for: they wait for their turn on the cluster, and are retried and
 * undone by themselves. Waits for their end.
 *
 * @throws {JobError} `missing-extension` with what the job said that failed
 */
export async function bringMissing(context: Context): Promise<void> {
  const { state, checkpoint } = context;
  for (const name of state.missing) {
    if (state.bringing[name] === undefined) {
      // Killed before this is kept, another one asks once more; the second then finds the files there.
      state.bringing[name] = (await ask(context, name)).id;
      await checkpoint();
    }
    const job = await ended(context, name, state.bringing[name] ?? '');
    if (job?.state !== 'completed') throw notBrought(name, job);
    context.log(`the files of ${name} are there: job ${job.id}`);
  }
}

/** Nobody waits for them any more. What is there already stays, until it is collected. */
export async function stopBringing(context: Context): Promise<void> {
  const { state, services } = context;
  for (const id of Object.values(state.bringing)) {
    const job = await findJob(services.control, id);
    if (job === undefined || job.finished_at !== null) continue;
    await withSender(context, (boss) => cancelJob(services, boss, { id, actor: ACTOR }));
  }
}

function ask(context: Context, name: string): Promise<JobRecord> {
  return withSender(context, (boss) =>
    inTransaction(context.services.control, (client) =>
      enqueueJob(client, boss, { kind: bringExtensionKind, payload: { name }, actor: ACTOR }),
    ),
  );
}

async function withSender<T>(
  { services }: Context,
  work: (boss: ReturnType<typeof openSender>) => Promise<T>,
): Promise<T> {
  const { control, observe } = services;
  const boss = openSender(control, (cause) => observe({ kind: 'registry-unreachable', cause }));
  await boss.start();
  try {
    return await work(boss);
  } finally {
    await boss.stop({ graceful: false });
  }
}

async function ended(context: Context, name: string, id: string): Promise<JobRecord | undefined> {
  const { services, signal, progress, state } = context;
  for (;;) {
    const job = await findJob(services.control, id);
    if (job === undefined || job.finished_at !== null) return job;
    const share = (state.missing.indexOf(name) + job.progress / 100) / state.missing.length;
    await progress(share, `bringing the files of ${name}`);
    await sleep(POLL_MS, undefined, { signal });
  }
}

function notBrought(name: string, job: JobRecord | undefined): JobError {
  const { error } = job ?? {};
  return new JobError(
    `The files of the extension '${name}' could not be brought: ${error?.message ?? `the job that was to do it is ${job?.state ?? 'gone'}`}`,
    {
      code: 'missing-extension',
      details: error?.details,
      hint: error?.hint ?? 'Ask for it with POST /v1/extensions, then hydrate again',
    },
  );
}
