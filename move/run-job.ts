import { setTimeout as sleep } from 'node:timers/promises';
import { type Job, parseJob } from './admin-answers.ts';
import type { AdminClient } from './admin-client.ts';
import { MoveError } from './move-error.ts';
import type { Report } from './report.ts';

const FINAL: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);
const MIN_POLL_MS = 100;
const MAX_POLL_MS = 1_000;

/**
 * Waits for a job to end well, telling how far it is.
 *
 * @param what it does, as a sentence begins: `exporting acme`
 * @throws {MoveError} `conflict` or `refused`, in the job's own words
 */
export async function awaitJob(
  client: AdminClient,
  id: string,
  { what, report, signal }: { readonly what: string; readonly report: Report; readonly signal: AbortSignal },
): Promise<Job> {
  const job = await endOf(client, id, signal, (now) => report.progress(what, now.progress / 100));
  if (job.state === 'completed') return job;
  const { error } = job;
  const exit = error?.code === 'conflict' ? 'conflict' : 'refused';
  const text = job.state === 'cancelled' ? 'it was cancelled' : (error?.message ?? 'it failed');
  const details = error?.details === undefined || error.details === null ? '' : ` (${error.details})`;
  throw new MoveError(exit, `${client.origin}: ${what}: ${text}${details}`, {
    hint: error?.hint ?? undefined,
  });
}

/** The job at its end, however it ended. */
export async function endOf(
  client: AdminClient,
  id: string,
  signal: AbortSignal,
  onLook: (job: Job) => void = () => undefined,
): Promise<Job> {
  for (let delayMs = MIN_POLL_MS; ; delayMs = Math.min(delayMs * 1.5, MAX_POLL_MS)) {
    const job = parseJob(await client.call('GET', `/v1/jobs/${id}`));
    onLook(job);
    if (FINAL.has(job.state)) return job;
    await sleep(delayMs, undefined, { signal });
  }
}
