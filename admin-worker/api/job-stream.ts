import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { FINAL_STATES } from '../jobs/job-record.ts';
import { findJob } from '../jobs/job-store.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';

/** How long a stream goes without asking the database, or without a sign of life to the client. */
const MAX_SILENCE_MS = 10_000;

/** One thing that has happened to a job. */
export interface StreamEvent {
  /** Grows; what a client sends as `Last-Event-ID` to go on from there. */
  readonly id: string;
  readonly data: unknown;
}

export interface JobStreamOptions {
  readonly jobId: string;
  /** SSE's name of the events. */
  readonly event: string;
  /** Events after the one with this id, oldest first, some hundreds at most. */
  readonly readAfter: (afterId: string) => Promise<readonly StreamEvent[]>;
}

/** Server-sent events about a job: what is there after `Last-Event-ID` (or `?after=`), then what comes, to the end of the job. */
export function streamJob(
  c: Context<AdminEnv>,
  services: ApiServices,
  { jobId, event, readAfter }: JobStreamOptions,
): Response {
  let after = lastEventId(c);
  c.header('Cache-Control', 'no-store');
  return streamSSE(c, async (stream) => {
    const left = new AbortController();
    stream.onAbort(() => left.abort());
    while (!left.signal.aborted && !services.jobChanges.isClosed) {
      const read = new AbortController();
      // Registered before reading, so that no change falls between the two.
      const changed = services.jobChanges.wait(jobId, {
        timeoutMs: MAX_SILENCE_MS,
        signal: AbortSignal.any([left.signal, read.signal]),
      });
      // Read before the events: what happened until the end is then among them.
      const job = await findJob(services.control, jobId);
      const isOver = job === undefined || FINAL_STATES.has(job.state);
      const events = await readAfter(after);
      for (const { id, data } of events) {
        await stream.writeSSE({ id, event, data: JSON.stringify(data) });
        after = id;
      }
      // There may be more, or an end that came after them.
      if (events.length > 0) read.abort();
      else if (isOver) left.abort();
      else await stream.write(': waiting\n\n');
      await changed;
    }
  });
}

/** @throws {AdminError} `invalid_request` */
export function lastEventId(c: Context<AdminEnv>): string {
  const id = c.req.header('last-event-id') ?? c.req.query('after') ?? '0';
  if (/^\d{1,18}$/.test(id)) return id;
  throw new AdminError('invalid_request', `Last-Event-ID '${id.slice(0, 40)}' is not one of ours`);
}
