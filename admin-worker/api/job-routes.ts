import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import { cancelJob } from '../jobs/cancel-job.ts';
import { FINAL_STATES, findJob, type JobEvent, type JobRecord, readJobEvents } from '../jobs/job-store.ts';
import type { AdminEnv, ApiServices } from './admin-env.ts';
import { AdminError } from './admin-error.ts';
import { jobView } from './job-view.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** How long a stream goes without asking the database, or without a sign of life to the client. */
const MAX_SILENCE_MS = 10_000;

/** `/v1/jobs` */
export function jobRoutes(services: ApiServices): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();

  app.get('/:id', async (c) => c.json({ job: jobView(await requireJob(services, c.req.param('id'))) }));

  app.post('/:id/cancel', async (c) => {
    const { id } = await requireJob(services, c.req.param('id'));
    const job = await cancelJob(services, { id, actor: c.get('actor') });
    return c.json({ job: jobView(job) }, 202);
  });

  app.get('/:id/events', async (c) => {
    const { id } = await requireJob(services, c.req.param('id'));
    const lastEventId = c.req.header('last-event-id') ?? c.req.query('after') ?? '0';
    if (!/^\d{1,18}$/.test(lastEventId)) {
      throw new AdminError(
        'invalid_request',
        `Last-Event-ID '${lastEventId.slice(0, 40)}' is not one of ours`,
      );
    }
    c.header('Cache-Control', 'no-store');
    return streamSSE(c, async (stream) => {
      const left = new AbortController();
      stream.onAbort(() => left.abort());
      let after = lastEventId;
      let isOver = false;
      while (!isOver && !left.signal.aborted) {
        // Registered before reading, so that no change falls between the two.
        const changed = services.jobChanges.wait(id, { timeoutMs: MAX_SILENCE_MS, signal: left.signal });
        const events = await readJobEvents(services.control, id, after);
        for (const event of events) {
          await stream.writeSSE({ id: event.id, event: 'job', data: JSON.stringify(eventView(id, event)) });
          after = event.id;
          isOver = FINAL_STATES.has(event.state);
        }
        // A client that has seen the last event already has nothing more to wait for.
        if (!isOver && events.length === 0) {
          isOver = FINAL_STATES.has((await requireJob(services, id)).state);
          if (!isOver) await stream.write(': waiting\n\n');
        }
        if (isOver) left.abort();
        await changed;
      }
    });
  });

  return app;
}

function eventView(jobId: string, { at, state, progress, step, message, error }: JobEvent) {
  return { job: { id: jobId, state, progress, step, message, error }, at: at.toISOString() };
}

async function requireJob({ control }: ApiServices, id: string): Promise<JobRecord> {
  const job = UUID.test(id) ? await findJob(control, id) : undefined;
  if (job === undefined) throw new AdminError('not_found', `There is no job '${id.slice(0, 60)}'`);
  return job;
}
